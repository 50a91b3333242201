"""Away: the texts of people who are connected, but do not read.

It works like AWAY and RPL_AWAY in IRC (RFC 2812, sections 4.1 and 5.1), with two differences. In
IRC a name has one session. Here a name may have several, and each may have a text: the name is away
while any of its sessions has a text, the newest text counts, and any of the sessions ends them all.
And IRC tells the sender with each direct message; here a session gets each text once.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import NamedTuple, Protocol

__all__ = ["MAX_AWAY", "MAX_TOLD", "Away", "AwayTexts", "Reader", "away_of"]

MAX_AWAY = 256
"""Longest away text, in characters."""
MAX_TOLD = 1_000
"""The most names of which a session remembers the last away text that it got."""


class Away(NamedTuple):
    """The away text of a session.

    Attributes:
        number: Rises with each text, and sets it apart from the same text at another time.
        text: The text; not empty.
    """

    number: int
    text: str


class Reader(Protocol):
    """A session, as a `chatd.chat.rooms.Member` is.

    Attributes:
        key: The folded name.
        away: The session's away text, or None.
        told_away: The number of the text that the session got last, by folded name.
    """

    key: str
    away: Away | None
    told_away: dict[str, int] | None


def away_of(sessions: Iterable[Reader]) -> Away | None:
    """Return the newest away text of a name's sessions, or None."""
    return max((each.away for each in sessions if each.away is not None), default=None)


class AwayTexts:
    """Gives out away texts, each once to a sender."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def begin(self, member: Reader, text: str) -> None:
        """Give a session an away text; it ends with the session, or with `end`."""
        member.away = Away(next(self._numbers), text)

    def end(self, sessions: Iterable[Reader]) -> None:
        """End the away texts of a name's sessions."""
        for each in sessions:
            each.away = None

    def news(self, sender: Reader, key: str, sessions: Iterable[Reader]) -> Away | None:
        """Return the away text that a sender of a direct message must get.

        Args:
            sender: The sender; it gets neither the text of its own name nor the same text again.
            key: The folded name that the message is for.
            sessions: The sessions of that name.

        Returns:
            The text, or None.
        """
        away = away_of(sessions)
        return away if away is not None and self.is_news(sender, key, away.number) else None

    def is_news(self, sender: Reader, key: str, number: int) -> bool:
        """Return whether a sender must get the away text of a name, and note that it gets it.

        Args:
            sender: See `news`.
            key: See `news`.
            number: The number of the text.
        """
        if key == sender.key:
            return False
        told = sender.told_away = sender.told_away or {}
        if told.get(key) == number:
            return False
        if key not in told and len(told) >= MAX_TOLD:
            del told[next(iter(told))]
        told[key] = number
        return True
