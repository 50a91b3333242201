"""The SQL of the SQLite store. Who calls it sees to transactions and to errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from itertools import chain
from typing import Any

from chatd.storage.sqlite.streamstate import StreamState
from chatd.storage.streamkeys import direct_names
from chatd.storage.values import DirectHead, Entry, Head, Retention
from chatd.wire.messages import ChatHeader, Message, MessageType

__all__ = ["SWEEP_BYTES", "SWEEP_ROWS", "Budget", "Tables", "row_of"]

SWEEP_ROWS = 500
"""How many messages that are no longer kept a stream may have, and how many are deleted at once."""
SWEEP_BYTES = 16 * 1024 * 1024
"""The same in bytes."""
INSERT_ROWS = 50
"""How many messages one statement writes. For each statement Python's lock is let go, and who takes
it keeps it for up to 5 ms: so one for each message would wait for all the rest of the server."""
INSERT_BYTES = 256 * 1024
"""How many bytes of content it writes at most: all of them are copied before it begins."""
_STREAMS_AT_ONCE = 200  # how many streams one step of the search for old messages looks at

_STREAM = "id, key, name, topic, epoch, seq, oldest, bytes"
_MESSAGE = "seq, id, sender, room, recipient, time, content_type, content"
_INSERT = "INSERT INTO messages VALUES "
_PLACES = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_MANY = _INSERT + ", ".join([_PLACES] * INSERT_ROWS)
# The place of a stream's oldest message that is kept; NULL where none is.
_OLDEST_KEPT = """
    (SELECT messages.seq FROM messages
     WHERE messages.stream = streams.id AND messages.seq >= streams.oldest
     AND messages.time >= :cutoff ORDER BY messages.seq LIMIT 1)
"""

_LAST_ID = """
    (SELECT id FROM messages
     WHERE messages.stream = streams.id AND messages.seq = streams.seq)
"""
_HEAD = f"name, epoch, seq, {_OLDEST_KEPT} AS kept, topic, {_LAST_ID}"
# The first streams of someone in one of the two columns, each read from an index; a name that
# speaks with itself is in both.
_IN_COLUMN = (
    "SELECT {theirs} AS them, " + _HEAD + " FROM streams WHERE {own} = :author"
    " AND {theirs} > :after AND kept IS NOT NULL{once} ORDER BY {theirs} LIMIT :limit"
)
_CONVERSATIONS = (
    f"SELECT * FROM ({_IN_COLUMN.format(own='one', theirs='other', once='')}) UNION ALL"
    f" SELECT * FROM ({_IN_COLUMN.format(own='other', theirs='one', once=' AND one <> other')})"
    " ORDER BY them LIMIT :limit"
)

Row = tuple[int | None, int, str, str, str, str | None, str | None, float, str, bytes]
"""A row of `messages`."""


def row_of(stream: StreamState, entry: Entry) -> Row:
    """Return the row of the message that an entry becomes at a stream's last place."""
    return (
        stream.id,
        stream.seq,
        entry.author,
        entry.id,
        entry.sender,
        entry.room,
        entry.to,
        entry.time,
        entry.content_type,
        entry.content,
    )


class Budget:
    """How much may be deleted in one transaction: those that wait for it do not wait long.

    Args:
        rows: How many messages.

    Attributes:
        rows: How many messages more.
        bytes: How many bytes of content more; the last message may be larger.
    """

    def __init__(self, rows: int = SWEEP_ROWS) -> None:
        self.rows = rows
        self.bytes = SWEEP_BYTES


class Tables:
    """The tables `streams` and `messages`.

    Args:
        connection: The connection to the database.
        retention: How much of a stream is kept.
    """

    def __init__(self, connection: sqlite3.Connection, retention: Retention) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._retention = retention

    def load(self, key: str) -> StreamState | None:
        """Return where a stream stands, or None if it is not there."""
        row = self._execute(f"SELECT {_STREAM} FROM streams WHERE key = ?", (key,)).fetchone()
        return None if row is None else self._state(row)

    def begin(self, stream: StreamState) -> None:
        """Write a stream that is not there."""
        row = (
            stream.key,
            stream.name,
            stream.topic,
            stream.epoch,
            stream.seq,
            stream.oldest,
            stream.bytes,
        )
        stream.id = self._execute(
            "INSERT INTO streams (key, name, topic, epoch, seq, oldest, bytes, one, other)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, *direct_names(stream.key)),
        ).lastrowid

    def save(self, stream: StreamState) -> None:
        """Write where a stream stands."""
        self._execute(
            "UPDATE streams SET name = ?, topic = ?, seq = ?, oldest = ?, bytes = ? WHERE id = ?",
            (stream.name, stream.topic, stream.seq, stream.oldest, stream.bytes, stream.id),
        )
        stream.written_seq = stream.seq

    def insert(self, rows: Sequence[Row]) -> None:
        """Write messages.

        Raises:
            sqlite3.IntegrityError: An author and id are in the stream already.
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
        """Return the message in a stream that has an entry's author and id, kept or not."""
        row = self._execute(
            f"SELECT {_MESSAGE} FROM messages WHERE stream = ? AND author = ? AND id = ?",
            (stream.id, entry.author, entry.id),
        ).fetchone()
        return None if row is None else _message(row)

    def id_at(self, stream: StreamState, seq: int) -> str | None:
        """Return the id of the message at a place in a stream, or None if it is not there."""
        row = self._execute(
            "SELECT id FROM messages WHERE stream = ? AND seq = ?", (stream.id, seq)
        ).fetchone()
        return None if row is None else str(row[0])

    def delete(self, stream: StreamState, seq: int | None) -> None:
        """Delete one message."""
        self._execute("DELETE FROM messages WHERE stream = ? AND seq = ?", (stream.id, seq))

    def read_up(self, stream: StreamState, start: int, limit: int, max_bytes: int) -> list[Message]:
        """Return the messages from a place on, the oldest first."""
        return self._read("seq >= ? ORDER BY seq LIMIT ?", (stream.id, start, limit), max_bytes)

    def read_down(self, stream: StreamState, end: int, limit: int, max_bytes: int) -> list[Message]:
        """Return the messages that are kept before a place, the newest first."""
        return self._read(
            "seq < ? AND seq >= ? ORDER BY seq DESC LIMIT ?",
            (stream.id, end, stream.oldest, limit),
            max_bytes,
        )

    def trim(self, stream: StreamState, cutoff: float) -> None:
        """Find out what of a stream is kept: nothing is written, but the stream stands elsewhere.

        Args:
            stream: The stream.
            cutoff: The time before which messages are too old, in Unix seconds.
        """
        bounds = self._retention
        kept, size = stream.kept, stream.bytes
        rows = self._execute(
            "SELECT time, length(content) FROM messages WHERE stream = ? AND seq >= ? ORDER BY seq",
            (stream.id, stream.oldest),
        )
        with closing(rows):
            for time, length in rows:
                fits = size <= bounds.max_bytes or kept == 1
                if fits and kept <= bounds.max_messages and time >= cutoff:
                    break
                kept -= 1
                size -= length
        stream.waste_bytes += stream.bytes - size
        stream.bytes = size
        stream.oldest = stream.seq - kept + 1

    def is_over(self, stream: StreamState) -> bool:
        """Say whether a stream has more messages or bytes than are kept."""
        bounds = self._retention
        return stream.kept > bounds.max_messages or stream.bytes > bounds.max_bytes

    def sweep(self, stream: StreamState, budget: Budget) -> bool:
        """Delete messages of a stream that are no longer kept, as many as the budget allows.

        Returns:
            Whether none are left.
        """
        rows = self._execute(
            "SELECT seq, length(content) FROM messages"
            " WHERE stream = ? AND seq < ? ORDER BY seq LIMIT ?",
            (stream.id, stream.oldest, max(0, budget.rows)),
        )
        last = None
        with closing(rows):
            for seq, length in rows:
                last = seq
                budget.rows -= 1
                budget.bytes -= length
                stream.waste_bytes -= length
                if budget.bytes <= 0:
                    break
        if last is not None:
            self._execute("DELETE FROM messages WHERE stream = ? AND seq <= ?", (stream.id, last))
            stream.first = last + 1
        if budget.rows > 0 and budget.bytes > 0:
            stream.first = stream.oldest
        stream.waste_bytes = max(0, stream.waste_bytes)
        return stream.first >= stream.oldest

    def retire(self, stream: StreamState) -> None:
        """Let a stream be gone, at once, however many messages are to be deleted afterwards."""
        stream.oldest = stream.seq + 1
        self._execute(
            "UPDATE streams SET key = NULL, one = NULL, other = NULL, oldest = ?, bytes = 0"
            " WHERE id = ?",
            (stream.oldest, stream.id),
        )

    def remove(self, stream: StreamState) -> None:
        """Delete a stream whose messages are deleted."""
        self._execute("UPDATE meta SET value = value + ? WHERE name = 'removed'", (stream.seq,))
        self._execute("DELETE FROM streams WHERE id = ?", (stream.id,))

    def rooms(self, after: str, limit: int, cutoff: float) -> list[Head]:
        """Return where the rooms stand in which something is kept, by their keys."""
        rows = self._execute(
            f"SELECT {_HEAD} FROM streams"
            " WHERE key > 'room ' || :after AND key < 'room!'"  # ! comes after space
            " AND kept IS NOT NULL ORDER BY key LIMIT :limit",
            {"after": after, "limit": limit, "cutoff": cutoff},
        )
        return [_head(*row) for row in rows]

    def conversations(self, author: str, after: str, limit: int, cutoff: float) -> list[DirectHead]:
        """Return with whom someone has spoken, as far as something of it is kept, by the others."""
        rows = self._execute(
            _CONVERSATIONS, {"author": author, "after": after, "limit": limit, "cutoff": cutoff}
        )
        return [DirectHead(other, _head(*row)) for other, *row in rows]

    def tidy(self, cutoff: float) -> None:
        """Apply the bounds, which may be others than before, and let empty streams be gone."""
        over = self._execute(
            f"SELECT {_STREAM} FROM streams WHERE seq - oldest + 1 > ? OR bytes > ?",
            (self._retention.max_messages, self._retention.max_bytes),
        ).fetchall()
        for row in over:
            stream = self._state(row)
            self.trim(stream, cutoff)
            self.save(stream)
        self._execute(
            "UPDATE streams SET key = NULL, one = NULL, other = NULL, oldest = seq + 1, bytes = 0"
            f" WHERE key IS NOT NULL AND {_OLDEST_KEPT} IS NULL",
            {"cutoff": cutoff},
        )

    def find_stale(self, after: int, cutoff: float) -> tuple[list[StreamState], int | None]:
        """Look at some streams for those of which something can be deleted.

        Args:
            after: The number of the stream after which to begin.
            cutoff: The time before which messages are too old, in Unix seconds.

        Returns:
            Those found, and the number of the last that was looked at; None if it was the last.
        """
        chunk = "SELECT * FROM streams WHERE id > :after ORDER BY id LIMIT :limit"
        values = {"after": after, "limit": _STREAMS_AT_ONCE, "cutoff": cutoff}
        (last,) = self._execute(f"SELECT max(id) FROM ({chunk})", values).fetchone()
        rows = self._execute(
            f"SELECT {_STREAM} FROM ({chunk}) AS streams WHERE oldest > seq OR EXISTS ("
            " SELECT 1 FROM messages"
            " WHERE messages.stream = streams.id AND messages.seq <= streams.oldest"
            " AND (messages.seq < streams.oldest OR messages.time < :cutoff)) ORDER BY id",
            values,
        ).fetchall()
        return [self._state(row) for row in rows], last

    def _state(self, row: Sequence[Any]) -> StreamState:
        number, key, name, topic, epoch, seq, oldest, size = row
        (first,) = self._execute(
            "SELECT min(seq) FROM messages WHERE stream = ?", (number,)
        ).fetchone()
        stream = StreamState(
            key=key or "",
            name=name,
            epoch=epoch,
            topic=topic,
            id=number,
            seq=seq,
            written_seq=seq,
            oldest=oldest,
            bytes=size,
            first=seq + 1 if first is None else first,
        )
        stream.last_id = self.id_at(stream, seq)
        return stream

    def _read(self, where: str, values: tuple[object, ...], max_bytes: int) -> list[Message]:
        messages: list[Message] = []
        size = 0
        rows = self._execute(
            f"SELECT {_MESSAGE} FROM messages WHERE stream = ? AND {where}", values
        )
        with closing(rows):
            for row in rows:
                size += len(row[-1])
                if messages and size > max_bytes:
                    break
                messages.append(_message(row))
        return messages


def _head(name: str, epoch: str, seq: int, oldest: int, topic: str, last_id: str) -> Head:
    return Head(name=name, epoch=epoch, seq=seq, oldest=oldest, topic=topic, last_id=last_id)


def _message(row: Sequence[Any]) -> Message:
    seq, number, sender, room, recipient, time, content_type, content = row
    header = ChatHeader(
        id=number,
        room=room,
        to=recipient,
        sender=sender,
        seq=seq,
        time=time,
        content_type=content_type,
    )
    return Message(MessageType.MESSAGE, header, content)
