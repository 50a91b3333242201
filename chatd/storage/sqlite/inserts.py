"""The statements that write messages: a few of them, for many messages each."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TypeVar

__all__ = ["INSERT_BYTES", "RUN_ROWS", "SIZES", "Inserts", "Own", "Row", "Shared"]

SIZES = (1, 8, 64, 512)
"""The numbers of messages that a statement is prepared for. Python releases its lock for each
statement, and the thread that takes the lock may keep it for 5 ms: with a statement for each
message, the store would wait for the rest of the server each time."""
INSERT_BYTES = 256 * 1024
"""The most bytes of content in one statement, which copies all of them before it begins; one
message may have more."""
RUN_ROWS = 16
"""The fewest messages with shared values that are worth a statement of their own."""

Shared = tuple[int | None, str, str | None, str | None, str | None, float | None, str | None]
"""The first columns of a row, which the messages of a run share."""
Own = tuple[str, bytes]
"""The last columns of a row, after `seq`: the id and the content."""
Row = tuple[
    int | None,
    str,
    str | None,
    str | None,
    str | None,
    float | None,
    str | None,
    int,
    str,
    bytes,
]
"""The columns of a row, in the order of these statements: `Shared`, `seq`, `Own`."""

_INSERT = (
    "INSERT INTO messages"
    " (stream, author, sender, room, recipient, time, content_type, seq, id, content) "
)
_MAX_VALUES = 32_766  # in one statement; https://www.sqlite.org/limits.html, section 9
_MAX_VALUES_BEFORE = 999
_COLUMNS = 10
_SHARED = 9  # with the number of the first message and the number of messages
_OWN = 2
_NO_ROW = (0,) * _COLUMNS  # the statement leaves it out for its place, which is never 0
_NOTHING = (0,) * _OWN

R = TypeVar("R", bound=tuple[object, ...])


def _insert_rows(size: int) -> str:
    """Return a statement that inserts the rows with a place."""
    row = f"({', '.join('?' * _COLUMNS)})"
    return f"{_INSERT}SELECT * FROM (VALUES {', '.join([row] * size)}) WHERE column8 > 0"


def _insert_run(size: int) -> str:
    """Return a statement that inserts the first messages of a run, after what they share."""
    rows = ", ".join(
        f"({place}, ?{_SHARED + 1 + _OWN * place}, ?{_SHARED + 2 + _OWN * place})"
        for place in range(size)
    )
    return (
        f"{_INSERT}SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 + column1, column2, column3"
        f" FROM (VALUES {rows}) WHERE column1 < ?9"
    )


_ROWS = {size: _insert_rows(size) for size in SIZES}
_RUN = {size: _insert_run(size) for size in SIZES}
_ROW = f"{_INSERT}VALUES ({', '.join('?' * _COLUMNS)})"


class Inserts:
    """Writes messages into the table `messages`.

    Each method raises `sqlite3.IntegrityError` if the stream has a message of the same author and
    id.

    Args:
        connection: The connection to the database.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        values = _MAX_VALUES if sqlite3.sqlite_version_info >= (3, 32) else _MAX_VALUES_BEFORE
        self._row_sizes = [size for size in SIZES if _COLUMNS * size <= values]
        self._run_sizes = [size for size in SIZES if _SHARED + _OWN * size <= values]

    def write_row(self, row: Row) -> None:
        """Write a message."""
        self._execute(_ROW, row)

    def write_rows(self, rows: Sequence[Row]) -> None:
        """Write any messages."""
        for piece in _cut(rows, self._row_sizes[-1]):
            size = _size_for(piece, self._row_sizes)
            values = chain.from_iterable(piece)
            rest = _NO_ROW * (size - len(piece))
            self._execute(_ROWS[size], (*values, *rest))

    def write_run(self, shared: Shared, first: int, own: Sequence[Own]) -> None:
        """Write messages that follow each other in a stream and differ in id and content alone.

        Args:
            shared: What they share.
            first: The place of the first message.
            own: The id and the content of each.
        """
        for piece in _cut(own, self._run_sizes[-1]):
            size = _size_for(piece, self._run_sizes)
            values = chain.from_iterable(piece)
            rest = _NOTHING * (size - len(piece))
            self._execute(_RUN[size], (*shared, first, len(piece), *values, *rest))
            first += len(piece)


def _size_for(rows: Sequence[R], sizes: Sequence[int]) -> int:
    """Return the lowest size for a number of rows; there is one."""
    return next(size for size in sizes if size >= len(rows))


def _cut(rows: Sequence[R], most: int) -> Iterator[Sequence[R]]:
    """Yield the rows, which end with the content, in pieces for one statement each."""
    start = size = 0
    for end, row in enumerate(rows):
        length = len(row[-1])  # type: ignore[arg-type]
        size += length
        if end > start and (size > INSERT_BYTES or end - start == most):
            yield rows[start:end]
            start, size = end, length
    if rows:
        yield rows[start:]
