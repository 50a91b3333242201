"""`Refusals`: tells which lines were refused, without a line of output for each of them."""

from __future__ import annotations

from collections.abc import Callable

from chatd.cli.tally import ranges

__all__ = ["MAX_TOLD", "Refusals"]

MAX_TOLD = 5
"""Number of refused lines that are told one by one."""


class Refusals:
    """Tells the first refused lines at once, with the reason, and the others together.

    Args:
        complain: Shows an error, one line.
        end: What became of the lines, in the words of the errors: the client does not send some.
    """

    def __init__(self, complain: Callable[[str], None], end: str = "refused") -> None:
        self._complain = complain
        self._end = end
        self._told = 0
        self._untold: list[int] = []

    def add(self, number: int, why: object) -> None:
        """Note a refused line.

        Args:
            number: The number of the line.
            why: The reason.
        """
        if self._told < MAX_TOLD:
            self._told += 1
            self._complain(f"line {number} was {self._end}: {why}")
            return
        if not self._untold:
            self._complain(f"more lines were {self._end}; the end says which")
        self._untold.append(number)

    def finish(self) -> None:
        """Tell the lines that were not told yet."""
        untold, self._untold = sorted(self._untold), []
        if untold:
            were = "line was" if len(untold) == 1 else "lines were"
            self._complain(f"{len(untold)} more {were} {self._end}: {ranges(untold)}")
