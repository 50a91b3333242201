"""The commands `/history` and `/search`."""

from __future__ import annotations

from chatd.chat.history import MAX_PAGE
from chatd.chat.names import check_name
from chatd.cli.arguments import checked
from chatd.cli.notdone import NotDone
from chatd.cli.places import Place
from chatd.cli.searching import Search
from chatd.cli.talk import Talk

__all__ = ["HISTORY", "SEARCH", "history", "search"]

HISTORY = "[with NAME] [N]"
"""The arguments of `/history`."""
SEARCH = "[with NAME] [text]"
"""The arguments of `/search`."""


async def history(talk: Talk, *words: str) -> None:
    """Show the page before the last shown page, or the newest N messages.

    Raises:
        NotDone: The arguments are wrong, or there is no connection.
    """
    other, rest = _other(words, "/history with NAME shows your direct messages with NAME")
    if len(rest) > 1:
        raise NotDone(f"too many arguments: /history {HISTORY}")
    limit = None if not rest else _limit(rest[0])
    place = _place(talk, other)
    title, messages = await talk.browsing.page(talk.client, place, limit)
    if messages:
        talk.reading.page(title, messages, talk.name)
    else:
        talk.display.note(title)


async def search(talk: Talk, *words: str) -> None:
    """Show the newest messages that have a text; without a text, show those before.

    Raises:
        NotDone: The arguments are wrong, or there is no connection.
    """
    other, rest = _other(words, "/search with NAME TEXT searches your direct messages with NAME")
    text = " ".join(rest)
    if text:
        place = _place(talk, other)
        searching = Search(place, text)
    elif other is not None:
        raise NotDone(f"give the text to find: /search with {other} TEXT")
    elif talk.browsing.search is None:
        raise NotDone("there is no search to go on with; /search TEXT begins one")
    else:
        searching = talk.browsing.search

    client = talk.client
    try:
        ending = await talk.browsing.find(client, searching)
    finally:  # an error comes after what was found before it
        title, messages = searching.page
        if messages:
            talk.reading.page(title, messages, talk.name, with_date=True)
    talk.display.note(ending)


def _place(talk: Talk, other: str | None) -> Place:
    """Return the conversation with a person; without a name, the current place."""
    other = talk.whereabouts.companion if other is None else other
    return Place(talk.whereabouts.need_room()) if other is None else Place(None, other)


def _other(words: tuple[str, ...], advice: str) -> tuple[str | None, tuple[str, ...]]:
    """Return the name after a leading `with`, or None, and the other words.

    Raises:
        NotDone: There is no name after it; the error ends with the advice.
    """
    if not words or words[0].casefold() != "with":
        return None, words
    if len(words) == 1:
        raise NotDone(f"a name is missing: {advice}")
    return checked(check_name, words[1]), words[2:]


def _limit(number: str) -> int:
    if not number.isascii() or not number.isdecimal() or not 0 < int(number) <= MAX_PAGE:
        advice = f"; /history with {number} shows direct messages" if number.isalpha() else ""
        raise NotDone(f"/history shows 1 to {MAX_PAGE} messages, not {number}{advice}")
    return int(number)
