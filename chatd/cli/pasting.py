"""Pasted text: finding it among typed keys, and making a message of it instead of commands.

A terminal with bracketed paste marks pasted text. On other terminals, pasted text looks like typed
keys, but a person does not type a second line before the client has read the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from chatd.cli.typed import command_in, is_path

__all__ = ["PasteFinder", "Press", "escape_paste"]

_ENTER = ("c-m", "c-j")
_TAB = "c-i"
_REPORT = "<cursor-position-response>"
_ESCAPE = "escape"  # Alt and a key arrive as Escape and that key


class Press(Protocol):
    """A pressed key, or a report of the terminal."""

    @property
    def key(self) -> str:
        """The character, or the name of the key."""

    @property
    def data(self) -> str:
        """The characters that the terminal sent."""


P = TypeVar("P", bound=Press)


class PasteFinder:
    """Finds pasted lines among the keys of a terminal without bracketed paste.

    Several lines that were waiting together are a paste. The rest of a long paste may arrive
    later: until a key other than text comes, or Enter alone, a line with its Enter belongs to it.
    The last line end of a paste is not inserted; text that comes later begins with it.
    """

    def __init__(self) -> None:
        # The line end that text after a paste begins with, or empty; None after other keys.
        self._owed: str | None = None

    def find(self, presses: Iterable[P], paste: Callable[[str], P]) -> list[P]:
        """Return the keys, with one paste in place of each run of pasted lines.

        The terminal's reports of the cursor's position come first: they may arrive in between.

        Args:
            presses: All keys that were waiting to be read.
            paste: Makes a paste of a text.
        """
        presses = list(presses)
        found = [press for press in presses if press.key == _REPORT]
        for is_text, run in _runs(press for press in presses if press.key != _REPORT):
            goes_on = is_text and not _is_enter(run[0])
            owed = (self._owed or "") if goes_on else ""
            if owed or (is_text and self._is_pasted(run)):
                text = owed + "".join(map(_character, run))
                self._owed = "\n" if text.endswith("\n") else ""
                found.append(paste(text))
            else:
                self._owed = "" if goes_on and self._owed is not None else None
                found += run
        return found

    def _is_pasted(self, run: Sequence[Press]) -> bool:
        is_line_over = False
        for press in run:
            if _is_enter(press):
                is_line_over = True
            elif is_line_over:
                return True
        return self._owed is not None and is_line_over and len(run) > 1


def escape_paste(text: str, *, at_start: bool, is_command: Callable[[str], bool]) -> str:
    """Return the text to insert for a paste.

    Line ends become newlines, and those at the end are dropped. If the paste would be read as a
    command but is not the single line of one, another slash makes it a message.

    Args:
        text: The pasted text.
        at_start: Whether it begins the typed line.
        is_command: Returns whether a command has this name.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    if not at_start or not text.startswith("/") or is_path(text):
        return text
    command = command_in(text)
    if command is not None and "\n" not in text and is_command(command.name):
        return text
    return f"/{text}"


def _runs(presses: Iterable[P]) -> list[tuple[bool, list[P]]]:
    """Return the runs of keys that are text, and of those that are not."""
    runs: list[tuple[bool, list[P]]] = []
    is_after_escape = False
    for press in presses:
        is_text = not is_after_escape and _is_text(press)
        is_after_escape = press.key == _ESCAPE
        if not runs or runs[-1][0] is not is_text:
            runs.append((is_text, []))
        runs[-1][1].append(press)
    return runs


def _is_enter(press: Press) -> bool:
    return press.key in _ENTER


def _is_text(press: Press) -> bool:
    return len(press.key) == 1 or press.key == _TAB or _is_enter(press)


def _character(press: Press) -> str:
    return "\n" if _is_enter(press) else press.data
