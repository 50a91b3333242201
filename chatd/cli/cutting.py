"""Cutting a long message to a number of rows of a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from chatd.cli.widths import width_of

__all__ = ["MAX_ROWS", "rows_of"]

MAX_ROWS = 20
"""Limit on the rows that a message takes at a terminal, more or less: words are not divided."""
_USUAL_COLUMNS = 80
"""The width of a terminal that does not tell its width."""


def rows_of(lines: Sequence[str], columns: int | None) -> list[str]:
    """Return the lines of a message that fit in `MAX_ROWS` rows; the last line may be cut.

    Args:
        lines: The lines.
        columns: The width of the terminal; None if it is not known.
    """
    columns = max(1, columns or _USUAL_COLUMNS)
    kept: list[str] = []
    left = MAX_ROWS
    for line in lines:
        most = left * columns
        part = line[:most]
        if width_of(part) > most:  # a character takes two columns at most
            part = part[: most // 2]
        kept.append(part)
        left -= max(1, -(-width_of(part) // columns))
        if left <= 0 or part != line:
            break
    return kept
