"""`Merge`: puts the messages of a stream in order, from all sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

__all__ = ["Merge"]

T = TypeVar("T")


class Merge:
    """The position of a node in a stream, which every source of messages moves forward.

    Pushes, answers and reads all offer their messages here. Messages before the position are
    dropped. Messages beyond a gap are dropped, too; then `has_gap` is true, and the owner must read
    the messages from the position on.

    Attributes:
        epoch: The epoch of the stream.
        seq: The position: the place of the last message that the node has.
        known: The place of the last message that the node knows to exist.
    """

    __slots__ = ("epoch", "known", "seq")

    def __init__(self, epoch: str, seq: int) -> None:
        self.epoch = epoch
        self.seq = seq
        self.known = seq

    @property
    def has_gap(self) -> bool:
        """Whether the stream has messages after the position that the node does not have."""
        return self.known > self.seq

    def offer(self, first: int, messages: Sequence[T]) -> Sequence[T]:
        """Return the messages that the node does not have yet, and move the position past them.

        Args:
            first: The place of the first message.
            messages: Messages whose places follow each other.
        """
        last = first + len(messages) - 1
        if first > self.seq + 1:
            self.announce(last)
            return []
        new = messages[self.seq + 1 - first :]
        self.seq = max(self.seq, last)
        return new

    def announce(self, last: int) -> None:
        """Note that the stream has a message at a place."""
        self.known = max(self.known, last)

    def settle(self, known: int) -> None:
        """Note that a read has shown no message after the position.

        Args:
            known: What `known` was before the read. A message that was announced during the read
                may be newer than the read's answer, so it stays announced.
        """
        if self.known <= known:
            self.known = self.seq

    def skip(self, seq: int) -> None:
        """Move the position forward to a place, without the messages up to it."""
        self.seq = max(self.seq, seq)
