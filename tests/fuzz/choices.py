"""`Choices` reads a fuzzer's bytes as decisions, so that a small change makes a small difference.

Every byte string is valid: after the last byte, every number is 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

__all__ = ["Choices", "cut"]

T = TypeVar("T")


class Choices:
    """Decisions, read from the front of `data`.

    Args:
        data: The fuzzer's bytes.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def __bool__(self) -> bool:
        """Whether bytes remain."""
        return self._offset < len(self._data)

    def number(self, size: int = 1) -> int:
        """Take a number of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def one_of(self, options: Sequence[T]) -> T:
        """Take an option."""
        return options[self.number() % len(options)]

    def take(self, length: int) -> bytes:
        """Take `length` bytes, or the rest if it is shorter."""
        taken = self._data[self._offset : self._offset + length]
        self._offset += length
        return taken

    def piece(self) -> bytes:
        """Take a number, and as many bytes."""
        return self.take(self.number())

    def rest(self) -> bytes:
        """Take the rest."""
        return self.take(len(self._data))


def cut(data: bytes, lengths: bytes) -> Iterator[bytes]:
    """Cut bytes into pieces of the given lengths, repeated; without lengths, into single bytes."""
    steps = lengths or b"\0"
    start = turn = 0
    while start < len(data):
        length = steps[turn % len(steps)] + 1
        yield data[start : start + length]
        start += length
        turn += 1
