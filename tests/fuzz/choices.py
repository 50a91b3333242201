"""`Choices` reads a fuzzer's bytes as decisions, so that a small change makes a small difference.

Every byte string is a valid one: when there are no bytes left, every number is 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

__all__ = ["Choices", "cut"]

T = TypeVar("T")


class Choices:
    """Decisions, read from the front of `data`.

    Args:
        data: What the fuzzer made up.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def __bool__(self) -> bool:
        """Whether there are bytes left."""
        return self._offset < len(self._data)

    def number(self, size: int = 1) -> int:
        """Take a number of so many bytes."""
        return int.from_bytes(self.take(size), "big")

    def one_of(self, options: Sequence[T]) -> T:
        """Take one of the options."""
        return options[self.number() % len(options)]

    def take(self, length: int) -> bytes:
        """Take so many bytes, or what is left."""
        taken = self._data[self._offset : self._offset + length]
        self._offset += length
        return taken

    def piece(self) -> bytes:
        """Take bytes that are preceded by their number."""
        return self.take(self.number())

    def rest(self) -> bytes:
        """Take what is left."""
        return self.take(len(self._data))


def cut(data: bytes, lengths: bytes) -> Iterator[bytes]:
    """Cut bytes into pieces of the lengths given, again and again; of one byte where none is."""
    steps = lengths or b"\0"
    start = turn = 0
    while start < len(data):
        length = steps[turn % len(steps)] + 1
        yield data[start : start + length]
        start += length
        turn += 1
