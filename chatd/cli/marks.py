"""`Marks`: the last message of each room that was shown to the person."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from chatd.chat.names import fold
from chatd.client.fields import Seq

__all__ = ["Mark", "Marks"]

_MAX_ROOMS = 1_000
"""Limit on the rooms whose last shown message is known."""


class Mark(msgspec.Struct, frozen=True):
    """The place of a message in its room.

    Attributes:
        epoch: The epoch of the room's order.
        seq: The `seq` of the message.
    """

    epoch: str
    seq: Seq


class Marks:
    """The last message of each room that was shown; the room without a message for longest goes.

    Args:
        last: The messages that were shown the last time, by the folded names of the rooms.

    Attributes:
        last: The messages as they are now.
    """

    def __init__(self, last: Mapping[str, Mark] = MappingProxyType({})) -> None:
        self.last = dict(last)

    def shown(self, room: str, epoch: str, seq: int) -> None:
        """Note that a room was shown up to a message; an earlier one changes nothing."""
        before = self.last.pop(fold(room), None)
        if before is not None and before.epoch == epoch:
            seq = max(seq, before.seq)
        self.last[fold(room)] = Mark(epoch, seq)
        if len(self.last) > _MAX_ROOMS:
            del self.last[next(iter(self.last))]

    def after(self, room: str, epoch: str, seq: int) -> int:
        """Return how many messages of a room up to `seq` were never shown.

        Without a mark of the same epoch that is unknown, and the result is 0.
        """
        mark = self.last.get(fold(room))
        return 0 if mark is None or mark.epoch != epoch else max(0, seq - mark.seq)
