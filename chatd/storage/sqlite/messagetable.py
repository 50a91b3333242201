"""The SQL of the table `messages`. Callers take care of transactions and errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from itertools import chain
from typing import Any

from chatd.storage.paging import fitting
from chatd.storage.sqlite.streamstate import StreamState
from chatd.storage.values import Entry
from chatd.wire.messages import ChatHeader, Message, MessageType

__all__ = ["INSERT_BYTES", "INSERT_ROWS", "MessageTable", "Row", "row_of"]

INSERT_ROWS = 50
"""The number of messages in one statement. Python releases its lock for each statement, and the
thread that takes the lock may keep it for 5 ms: with a statement for each message, the store would
wait for the rest of the server each time."""
INSERT_BYTES = 256 * 1024
"""The most bytes of content in one statement, which copies all of them before it begins."""

_COLUMNS = "seq, id, sender, room, recipient, time, content_type, content"
_INSERT = "INSERT INTO messages VALUES "
_PLACES = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_MANY = _INSERT + ", ".join([_PLACES] * INSERT_ROWS)

Row = tuple[
    int | None,
    int | None,
    str,
    str,
    str | None,
    str | None,
    str | None,
    float | None,
    str | None,
    bytes,
]
"""A row of `messages`."""


def row_of(stream: StreamState, author: str, message: Message) -> Row:
    """Return the row of a message that has its place in a stream.

    Args:
        stream: The stream.
        author: The folded name of the author.
        message: The message.
    """
    header = message.header
    assert isinstance(header, ChatHeader)
    return (
        stream.id,
        header.seq,
        author,
        header.id,
        header.sender,
        header.room,
        header.to,
        header.time,
        header.content_type,
        message.content,
    )


class MessageTable:
    """The table `messages`.

    Args:
        connection: The connection to the database.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._execute = connection.execute

    def insert(self, rows: Sequence[Row]) -> None:
        """Write messages.

        Raises:
            sqlite3.IntegrityError: The stream has a message of the same author and id.
        """
        single = len(rows) % INSERT_ROWS
        self._connection.executemany(_INSERT + _PLACES, rows[:single])
        for start in range(single, len(rows), INSERT_ROWS):
            many = rows[start : start + INSERT_ROWS]
            if sum(len(row[-1]) for row in many) > INSERT_BYTES:
                self._connection.executemany(_INSERT + _PLACES, many)
            else:
                self._connection.execute(_INSERT_MANY, tuple(chain.from_iterable(many)))

    def find(self, stream: StreamState, entry: Entry) -> Message | None:
        """Return a stream's message with the author and id of an entry, kept or not, or None."""
        row = self._execute(
            f"SELECT {_COLUMNS} FROM messages WHERE stream = ? AND author = ? AND id = ?",
            (stream.id, entry.author, entry.header.id),
        ).fetchone()
        return None if row is None else _message(row)

    def id_at(self, stream: StreamState, seq: int) -> str | None:
        """Return the id of the message at a place in a stream; None if it is not in the table."""
        row = self._execute(
            "SELECT id FROM messages WHERE stream = ? AND seq = ?", (stream.id, seq)
        ).fetchone()
        return None if row is None else str(row[0])

    def first_seq(self, number: int) -> int | None:
        """Return the lowest place of a stream that is in the table, or None if none is.

        Args:
            number: The number of the stream in the database.
        """
        (first,) = self._execute(
            "SELECT min(seq) FROM messages WHERE stream = ?", (number,)
        ).fetchone()
        return None if first is None else int(first)

    def read_up(self, stream: StreamState, start: int, limit: int, max_bytes: int) -> list[Message]:
        """Return the messages from a place on, the oldest first."""
        return self._read("seq >= ? ORDER BY seq LIMIT ?", (stream.id, start, limit), max_bytes)

    def read_down(self, stream: StreamState, end: int, limit: int, max_bytes: int) -> list[Message]:
        """Return the kept messages before a place, the newest first."""
        return self._read(
            "seq < ? AND seq >= ? ORDER BY seq DESC LIMIT ?",
            (stream.id, end, stream.oldest, limit),
            max_bytes,
        )

    def kept(self, stream: StreamState) -> sqlite3.Cursor:
        """Return the time and the size of each message from a stream's `oldest` on, in order."""
        return self._execute(
            "SELECT time, length(content) FROM messages WHERE stream = ? AND seq >= ? ORDER BY seq",
            (stream.id, stream.oldest),
        )

    def dropped(self, stream: StreamState, limit: int) -> sqlite3.Cursor:
        """Return the place and the size of each message before a stream's `oldest`, in order."""
        return self._execute(
            "SELECT seq, length(content) FROM messages"
            " WHERE stream = ? AND seq < ? ORDER BY seq LIMIT ?",
            (stream.id, stream.oldest, limit),
        )

    def delete(self, stream: StreamState, seq: int) -> None:
        """Delete the message at a place."""
        self._execute("DELETE FROM messages WHERE stream = ? AND seq = ?", (stream.id, seq))

    def delete_through(self, stream: StreamState, seq: int) -> None:
        """Delete the messages up to and at a place."""
        self._execute("DELETE FROM messages WHERE stream = ? AND seq <= ?", (stream.id, seq))

    def _read(self, where: str, values: tuple[object, ...], max_bytes: int) -> list[Message]:
        rows = self._execute(
            f"SELECT {_COLUMNS} FROM messages WHERE stream = ? AND {where}", values
        )
        with closing(rows):
            return fitting(map(_message, rows), max_bytes)


def _message(row: Sequence[Any]) -> Message:
    seq, id_, sender, room, recipient, time, content_type, content = row
    header = ChatHeader(
        id=id_,
        room=room,
        to=recipient,
        sender=sender,
        seq=seq,
        time=time,
        content_type=content_type,
    )
    return Message(MessageType.MESSAGE, header, content)
