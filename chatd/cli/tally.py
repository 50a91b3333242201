"""`Tally`: which lines were sent, and which of them the server has confirmed."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Tally", "ranges"]

_MAX_RANGES = 8
"""Limit on the ranges of lines in a report."""


class Tally:
    """Counts the lines of a source, from 1.

    Attributes:
        confirmed: The number of lines that the server has confirmed.
        waiting_bytes: The content of the lines that wait for their receipts, in bytes.
    """

    def __init__(self) -> None:
        self.confirmed = 0
        self.waiting_bytes = 0
        self._waiting: dict[int, int] = {}
        self._next = 1

    @property
    def waiting(self) -> int:
        """The number of lines that wait for their receipts."""
        return len(self._waiting)

    def pass_over(self, number: int) -> None:
        """Note that a line needs no receipt, because it cannot be sent."""
        self._next = number + 1

    def sent(self, number: int, size: int) -> None:
        """Note that a line was sent, and its size in bytes."""
        self._next = number + 1
        self._waiting[number] = size
        self.waiting_bytes += size

    def answered(self, number: int, *, is_confirmed: bool) -> None:
        """Note the answer to a line: a receipt or a refusal."""
        self.waiting_bytes -= self._waiting.pop(number)
        self.confirmed += is_confirmed

    def report(self, *, has_more: bool) -> str:
        """Return a report: the confirmed lines, the lines that may have arrived, and the next line.

        Args:
            has_more: Whether unsent lines may remain.
        """
        lines = {0: "no line is", 1: "1 line is"}.get(self.confirmed, f"{self.confirmed} lines are")
        parts = [f"{lines} confirmed"]
        if self._waiting:
            what, were = ("line", "was") if self.waiting == 1 else ("lines", "were")
            parts.append(f"{what} {ranges(self._waiting)} {were} sent but not confirmed")
        parts.append(f"the next is line {self._next}" if has_more else "no other line is left")
        return ", ".join(parts)


def ranges(numbers: Iterable[int]) -> str:
    """Return ascending numbers in short form, such as `4-6, 9`; the last may be `some of 20-90`."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    shown = [f"{first}" if first == last else f"{first}-{last}" for first, last in ranges]
    if len(shown) > _MAX_RANGES:
        shown[_MAX_RANGES - 1 :] = [f"some of {ranges[_MAX_RANGES - 1][0]}-{ranges[-1][1]}"]
    return ", ".join(shown)
