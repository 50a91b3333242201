"""The last messages of each room and conversation, and which of them are new to the person."""

from __future__ import annotations

from collections import deque
from itertools import dropwhile
from typing import NamedTuple

from chatd.chat.names import fold
from chatd.cli.places import Place
from chatd.wire.messages import Message

__all__ = ["MAX_NEW", "MAX_REPEATED_BYTES", "NEAR", "REPEATED", "Recap", "Recent", "place_of"]

REPEATED = 10
"""Number of a place's last messages that are shown again, unless more of them are new."""
NEAR = 10
"""Number of lines at the bottom of the screen that the person still sees."""
MAX_REPEATED_BYTES = 8 * 1024
"""Limit on the content of a message that is kept, in bytes."""
MAX_NEW = 20
"""Limit on the messages of a place that are kept, and so on the new ones shown again."""
_MAX_PLACES = 200


class Recap(NamedTuple):
    """The last messages of a place.

    Attributes:
        seen: The messages that the person has seen there.
        new: The messages from the first on that came while the person was elsewhere. Own
            messages from another client may be among them.
    """

    seen: list[Message]
    new: list[Message]


class _Kept(NamedTuple):
    message: Message
    line: int
    is_new: bool


class Recent:
    """Keeps the last messages of each place; the place without a message for longest goes first."""

    def __init__(self) -> None:
        self._kept: dict[tuple[bool, str], deque[_Kept]] = {}

    def take(self, place: Place, message: Message, *, line: int, is_new: bool) -> None:
        """Keep a message; one with too much content is left out.

        Args:
            place: Its place.
            message: The message.
            line: The number of its last line, counted over all shown lines.
            is_new: Whether the person was elsewhere when it came.
        """
        if len(message.content) > MAX_REPEATED_BYTES:
            return
        kept = self._kept.pop(place.key, None) or deque(maxlen=MAX_NEW)
        kept.append(_Kept(message, line, is_new))
        self._kept[place.key] = kept
        if len(self._kept) > _MAX_PLACES:
            del self._kept[next(iter(self._kept))]

    def recap(self, place: Place, line: int) -> Recap:
        """Return what to show again in a place that the person comes to; call `shown` after that.

        That is nothing if no message is new and the last is still near the bottom of the screen.

        Args:
            place: The place.
            line: The number of the last shown line.
        """
        kept = self._kept.get(place.key, deque())
        new = [each.message for each in dropwhile(lambda each: not each.is_new, kept)]
        if not kept or (not new and line - kept[-1].line < NEAR):
            return Recap([], [])
        last = list(kept)[-max(REPEATED, len(new)) :]
        return Recap([each.message for each in last[: len(last) - len(new)]], new)

    def shown(self, place: Place, line: int) -> None:
        """Note that the last messages of a place were shown again, and so are seen.

        Args:
            place: The place.
            line: The number of the last shown line.
        """
        kept = self._kept.get(place.key, deque())
        self._kept[place.key] = deque(
            (_Kept(each.message, line, False) for each in kept), maxlen=MAX_NEW
        )

    def read(self, place: Place) -> None:
        """Note that the person has read the messages of a place."""
        kept = self._kept.get(place.key)
        if kept is not None:
            seen = (each._replace(is_new=False) for each in kept)
            self._kept[place.key] = deque(seen, maxlen=MAX_NEW)

    def renamed(self, old: Place, new: Place) -> None:
        """Note that a person has another name."""
        kept = self._kept.pop(old.key, None)
        if kept is not None:
            self._kept[new.key] = kept


def place_of(message: Message, me: str) -> Place | None:
    """Return the place of a message; None if it is from the server to this session alone."""
    if message.room is not None:
        return Place(message.room)
    if message.to is None:
        return None
    sender = message.sender or ""
    return Place(None, message.to if fold(sender) == fold(me) else sender)
