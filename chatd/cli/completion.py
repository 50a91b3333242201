"""Completion of commands, rooms and names with the Tab key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chatd.chat.names import fold
from chatd.cli.printable import plain
from chatd.cli.typed import command_in
from chatd.cli.widths import width_of

__all__ = ["TabKey", "Words", "complete"]

_MORE = "…"
_LAST_WORD = re.compile(r"\S*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The words that complete a line.

    Attributes:
        commands: The arguments of each command, as `/help` shows them, by name.
        rooms: The known rooms.
        places: The titles of the rooms and conversations that lines can go to.
        names: The names of people, the likeliest first.
        own: The likeliest words for the first argument of some commands, by the command's name.
        writers: The names of people with direct messages, the latest first.
    """

    commands: Mapping[str, str] = field(default_factory=dict)
    rooms: Sequence[str] = ()
    places: Sequence[str] = ()
    names: Sequence[str] = ()
    writers: Sequence[str] = ()
    own: Mapping[str, Sequence[str]] = field(default_factory=dict)


class TabKey:
    """The Tab key: it completes a text, and pressed again it goes on to the next completion."""

    def __init__(self) -> None:
        self._kept = ""
        self._choices: list[str] = []
        self._place = 0

    def press(self, before: str, words: Words, *, step: int = 1) -> str:
        """Return the text that replaces the text before the cursor.

        Args:
            before: The text before the cursor.
            words: The words that complete it.
            step: 1 for the next completion, -1 for the one before.
        """
        if self._choices and before == self._choices[self._place]:
            self._place = (self._place + step) % len(self._choices)
        else:
            self._kept, _ = _split(before)
            self._choices = complete(before, words)
            self._place = 0 if step > 0 else len(self._choices) - 1
        return self._choices[self._place] if self._choices else before

    def list(self, before: str, width: int) -> str | None:
        """Return the line that lists the choices; None if there is one, or the text was changed.

        If not all fit, the line shows those around the present choice.

        Args:
            before: The text before the cursor.
            width: The width of the line, in columns.
        """
        if len(self._choices) <= 1 or before != self._choices[self._place]:
            return None
        ends = [choice[len(self._kept) :].rstrip() for choice in self._choices]
        words = [plain(end.removesuffix(":")) for end in ends]
        words[self._place] = f"[{words[self._place]}]"
        pages, page = [""], 0
        for number, word in enumerate(words):
            if pages[-1] and width_of(f"{pages[-1]} {word} {_MORE}") > width:
                pages[-1] += f" {_MORE}"
                pages.append("")
            pages[-1] += f" {word}"
            page = len(pages) - 1 if number == self._place else page
        return pages[page]


def complete(before: str, words: Words) -> list[str]:
    """Return the completions of a typed text, each with the whole text.

    Args:
        before: The text before the cursor.
        words: The words that complete it.
    """
    if not before:
        return [f"/msg {name} " for name in words.writers]
    kept, word = _split(before)
    command = command_in(before)
    if command is not None and not kept:
        found = [f"/{each}" for each in _matching(word[1:], words.commands, " ")]
    elif command is not None:
        arguments = words.commands.get(command.name, "")
        own = () if kept.split()[1:] else words.own.get(command.name, ())
        found = _matching(word, own or _for_argument(arguments, kept, word, words), " ")
    elif word:
        found = _matching(word, words.names, " " if kept else ": ")
        found = found or _matching(word, words.rooms, " ")
    else:
        found = []
    return [kept + each for each in found]


def _split(text: str) -> tuple[str, str]:
    """Return the text before its last word, and that word."""
    match = _LAST_WORD.search(text)
    assert match is not None  # an empty word matches any text
    return text[: match.start()], match[0]


def _for_argument(arguments: str, kept: str, word: str, words: Words) -> Iterable[str]:
    """Return the words for an argument of a command; the last argument may be a text."""
    kinds = [kind.strip("[]") for kind in arguments.split()]
    given = len(kept.split()) - 1
    if not kinds or (given >= len(kinds) and not kinds[-1].islower()):
        return ()
    kind = kinds[min(given, len(kinds) - 1)]
    if "|" in kind and kind.islower():
        return kind.split("|")
    if kind.islower():
        return words.names if word else ()
    for part, found in (
        ("NAME", words.names),
        ("ROOM", words.rooms),
        ("PLACE", words.places),
        ("COMMAND", words.commands),
    ):
        if part in kind:
            return found
    return ()


def _matching(word: str, candidates: Iterable[str], suffix: str) -> list[str]:
    folded = fold(word)
    return [f"{each}{suffix}" for each in candidates if fold(each).startswith(folded)]
