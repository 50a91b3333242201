"""The SQL of the table `messages`. Callers take care of transactions and errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from chatd.storage.paging import fitting
from chatd.storage.sqlite.inserts import Inserts
from chatd.storage.sqlite.streamstate import StreamState
from chatd.storage.values import Entry
from chatd.wire.messages import ChatHeader, Message, MessageType

__all__ = ["MessageTable"]

# The casts are for values of another type, which SQLite keeps where a row was edited by hand.
_COLUMNS = (
    "seq, id, sender, room, recipient, CAST(time AS REAL), content_type, CAST(content AS BLOB)"
)
# The last of the first messages in a range whose contents before it have less than some bytes.
_LAST_FITTING = """
    SELECT max(seq) FROM (
        SELECT seq, sum(size) OVER (ORDER BY seq) - size AS before FROM (
            SELECT seq, length(content) AS size FROM messages
            WHERE stream = ? AND seq >= ? AND seq < ?
        )
    ) WHERE before < ?
"""


class MessageTable:
    """The table `messages`.

    Args:
        connection: The connection to the database.

    Attributes:
        inserts: Writes messages.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        self.inserts = Inserts(connection)

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

    def kept(self, stream: StreamState, start: int) -> sqlite3.Cursor:
        """Return the time and the size of each message from a place on, in order."""
        return self._execute(
            "SELECT CAST(time AS REAL), length(content) FROM messages"
            " WHERE stream = ? AND seq >= ? ORDER BY seq",
            (stream.id, start),
        )

    def size_between(self, stream: StreamState, start: int, end: int) -> int:
        """Return the size of the messages from a place on and before another place.

        SQLite adds it up, because Python would release its lock for each row; see
        `chatd.storage.sqlite.inserts.SIZES`.
        """
        (size,) = self._execute(
            "SELECT coalesce(sum(length(content)), 0) FROM messages"
            " WHERE stream = ? AND seq >= ? AND seq < ?",
            (stream.id, start, end),
        ).fetchone()
        return int(size)

    def end_of_bytes(self, stream: StreamState, start: int, end: int, max_bytes: int) -> int:
        """Return the place after the first messages, from a place on, with at least some bytes.

        Args:
            stream: The stream.
            start: The first place.
            end: The place after the last; the messages before it have at least `max_bytes`.
            max_bytes: The number of bytes.
        """
        (last,) = self._execute(_LAST_FITTING, (stream.id, start, end, max_bytes)).fetchone()
        return int(last) + 1

    def delete(self, stream: StreamState, seq: int) -> None:
        """Delete the message at a place."""
        self._execute("DELETE FROM messages WHERE stream = ? AND seq = ?", (stream.id, seq))

    def delete_before(self, stream: StreamState, seq: int) -> None:
        """Delete the messages before a place."""
        self._execute("DELETE FROM messages WHERE stream = ? AND seq < ?", (stream.id, seq))

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
