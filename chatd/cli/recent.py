"""The last messages of each room and conversation, and which of them are new to the person."""

from __future__ import annotations

from collections.abc import Sequence
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
    epoch: str | None
    line: int
    is_new: bool


class Recent:
    """Keeps the last messages of each place; the place without a message for longest goes first.

    A message that is shown twice is kept once, and the messages of an epoch are kept in their
    order. Those of an earlier epoch stay before them, until there are too many.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[bool, str], list[_Kept]] = {}
        self._last_cleared = 0

    def take(
        self, place: Place, message: Message, *, epoch: str | None, line: int, is_new: bool
    ) -> None:
        """Keep a message; a message with too much content is left out.

        Args:
            place: Its place.
            message: The message.
            epoch: The name of the order that its `seq` belongs to; None if it is unknown.
            line: The number of its last line, counted over all shown lines.
            is_new: Whether the person was elsewhere when it came.
        """
        if len(message.content) > MAX_REPEATED_BYTES:
            return
        kept = self._kept.pop(place.key, [])
        taken = _Kept(message, epoch, line, is_new)
        end = _end_before(kept, taken)
        is_known = end > 0 and _is_same(kept[end - 1], taken)
        kept[end - 1 if is_known else end : end] = [taken]
        self._kept[place.key] = kept[-MAX_NEW:]
        if len(self._kept) > _MAX_PLACES:
            del self._kept[next(iter(self._kept))]

    def recap(self, place: Place, line: int) -> Recap:
        """Return what to show again in a place that the person comes to; call `shown` after that.

        That is nothing if no message is new and the last is still near the bottom of the screen.

        Args:
            place: The place.
            line: The number of the last shown line.
        """
        kept = self._kept.get(place.key, [])
        new = [each.message for each in dropwhile(lambda each: not each.is_new, kept)]
        if not kept or (not new and self._is_near(kept[-1], line)):
            return Recap([], [])
        last = kept[-max(REPEATED, len(new)) :]
        return Recap([each.message for each in last[: len(last) - len(new)]], new)

    def _is_near(self, kept: _Kept, line: int) -> bool:
        return kept.line > self._last_cleared and line - kept.line < NEAR

    def screen_cleared(self, line: int) -> None:
        """Note that the lines up to a line are out of sight.

        Args:
            line: The number of the last shown line.
        """
        self._last_cleared = line

    def shown(self, place: Place, line: int) -> None:
        """Note that the last messages of a place were shown again, and so are seen.

        Args:
            place: The place.
            line: The number of the last shown line.
        """
        kept = self._kept.get(place.key, [])
        self._kept[place.key] = [each._replace(line=line, is_new=False) for each in kept]

    def read(self, place: Place) -> None:
        """Note that the person has read the messages of a place."""
        kept = self._kept.get(place.key)
        if kept is not None:
            self._kept[place.key] = [each._replace(is_new=False) for each in kept]

    def renamed(self, old: Place, new: Place) -> None:
        """Note that a person has another name."""
        kept = self._kept.pop(old.key, None)
        if kept is not None:
            self._kept[new.key] = kept


def _end_before(kept: Sequence[_Kept], taken: _Kept) -> int:
    """Return the number of kept messages up to a message: the earlier ones, and the same one."""
    end = len(kept)
    while end and _is_later(kept[end - 1], taken):
        end -= 1
    return end


def _is_later(one: _Kept, other: _Kept) -> bool:
    """Return whether a message comes after another message of the same epoch."""
    return one.epoch == other.epoch and (one.message.seq or 0) > (other.message.seq or 0)


def _is_same(one: _Kept, other: _Kept) -> bool:
    """Return whether two are the same message."""
    seq = one.message.seq
    return seq is not None and (one.epoch, seq) == (other.epoch, other.message.seq)


def place_of(message: Message, me: str) -> Place | None:
    """Return the place of a message; None if it is from the server to this session alone."""
    if message.room is not None:
        return Place(message.room)
    if message.to is None:
        return None
    sender = message.sender or ""
    return Place(None, message.to if fold(sender) == fold(me) else sender)
