"""The SQL of the table `streams`. Callers take care of transactions and errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from chatd.storage.sqlite.messagetable import MessageTable
from chatd.storage.sqlite.streamstate import StreamState
from chatd.storage.streamkeys import direct_names
from chatd.storage.values import DirectHead, Head

__all__ = ["Counts", "StreamTable"]

_STREAMS_AT_ONCE = 200  # streams in one step of the search for old messages

_COLUMNS = "id, key, name, topic, epoch, seq, oldest, bytes"
# The place of a stream's oldest message that is kept; NULL if none is.
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
# The first streams of a name in one of the two columns, each read from an index. A name's messages
# to itself are in both columns.
_IN_COLUMN = (
    "SELECT {theirs} AS them, " + _HEAD + " FROM streams WHERE {own} = :author"
    " AND {theirs} > :after AND kept IS NOT NULL{once} ORDER BY {theirs} LIMIT :limit"
)
_DIRECT_HEADS = (
    f"SELECT * FROM ({_IN_COLUMN.format(own='one', theirs='other', once='')}) UNION ALL"
    f" SELECT * FROM ({_IN_COLUMN.format(own='other', theirs='one', once=' AND one <> other')})"
    " ORDER BY them LIMIT :limit"
)


class Counts(NamedTuple):
    """How much a database keeps.

    Attributes:
        messages: The messages.
        rooms: The rooms that keep a message.
        pairs: The pairs of names that keep a direct message.
    """

    messages: int
    rooms: int
    pairs: int


class StreamTable:
    """The table `streams`.

    Args:
        connection: The connection to the database.
        messages: The table of the messages in the streams.
    """

    def __init__(self, connection: sqlite3.Connection, messages: MessageTable) -> None:
        self._execute = connection.execute
        self._messages = messages

    def load(self, key: str) -> StreamState | None:
        """Return the state of a stream, or None if it is not in the table."""
        row = self._execute(f"SELECT {_COLUMNS} FROM streams WHERE key = ?", (key,)).fetchone()
        return None if row is None else self._state(row)

    def begin(self, stream: StreamState) -> None:
        """Write a stream that is not in the table."""
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
        """Write the state of a stream."""
        self._execute(
            "UPDATE streams SET name = ?, topic = ?, seq = ?, oldest = ?, bytes = ? WHERE id = ?",
            (stream.name, stream.topic, stream.seq, stream.oldest, stream.bytes, stream.id),
        )
        stream.written_seq = stream.seq

    def retire(self, stream: StreamState) -> None:
        """Remove a stream at once, even before the deletion of its messages."""
        stream.oldest = stream.seq + 1
        self._execute(
            "UPDATE streams SET key = NULL, one = NULL, other = NULL, oldest = ?, bytes = 0"
            " WHERE id = ?",
            (stream.oldest, stream.id),
        )

    def retire_old(self, cutoff: float) -> None:
        """Remove each stream that keeps no message from after a time, in Unix seconds."""
        self._execute(
            "UPDATE streams SET key = NULL, one = NULL, other = NULL, oldest = seq + 1, bytes = 0"
            f" WHERE key IS NOT NULL AND {_OLDEST_KEPT} IS NULL",
            {"cutoff": cutoff},
        )

    def remove(self, stream: StreamState) -> None:
        """Delete the row of a stream whose messages are deleted."""
        self._execute("UPDATE meta SET value = value + ? WHERE name = 'removed'", (stream.seq,))
        self._execute("DELETE FROM streams WHERE id = ?", (stream.id,))

    def rooms(self, after: str, limit: int, cutoff: float) -> list[Head]:
        """Return where the rooms stand that keep a message, by their keys."""
        rows = self._execute(
            f"SELECT {_HEAD} FROM streams"
            " WHERE key > 'room ' || :after AND key < 'room!'"  # ! comes after space
            " AND kept IS NOT NULL ORDER BY key LIMIT :limit",
            {"after": after, "limit": limit, "cutoff": cutoff},
        )
        return [_head(*row) for row in rows]

    def direct_heads(self, author: str, after: str, limit: int, cutoff: float) -> list[DirectHead]:
        """Return where a name's direct messages stand, for each other name with a kept message.

        They come in the order of the other names.
        """
        rows = self._execute(
            _DIRECT_HEADS, {"author": author, "after": after, "limit": limit, "cutoff": cutoff}
        )
        return [DirectHead(other, _head(*row)) for other, *row in rows]

    def count_written(self) -> int:
        """Return how many messages were kept when the states of the streams were saved."""
        (messages,) = self._execute(
            "SELECT coalesce(sum(seq - oldest + 1), 0) FROM streams WHERE key IS NOT NULL"
        ).fetchone()
        return int(messages)

    def count(self, cutoff: float) -> Counts:
        """Count what is kept from after a time, in Unix seconds."""
        row = self._execute(
            "SELECT coalesce(sum(seq - kept + 1), 0), count(kept) - count(one), count(one) FROM"
            f" (SELECT seq, {_OLDEST_KEPT} AS kept, one FROM streams WHERE key IS NOT NULL)"
            " WHERE kept IS NOT NULL",
            {"cutoff": cutoff},
        ).fetchone()
        return Counts(*row)

    def find_larger(self, max_messages: int, max_bytes: int) -> list[StreamState]:
        """Return the streams that keep more messages or bytes than these."""
        rows = self._execute(
            f"SELECT {_COLUMNS} FROM streams WHERE seq - oldest + 1 > ? OR bytes > ?",
            (max_messages, max_bytes),
        ).fetchall()
        return [self._state(row) for row in rows]

    def find_stale(self, after: int, cutoff: float) -> tuple[list[StreamState], int | None]:
        """Search some streams for messages that can be deleted.

        Args:
            after: The number of the stream after which to begin.
            cutoff: The time before which messages are too old, in Unix seconds.

        Returns:
            The streams found, and the number of the last stream of this step; None if `after` was
            the last stream.
        """
        chunk = "SELECT * FROM streams WHERE id > :after ORDER BY id LIMIT :limit"
        values = {"after": after, "limit": _STREAMS_AT_ONCE, "cutoff": cutoff}
        (last,) = self._execute(f"SELECT max(id) FROM ({chunk})", values).fetchone()
        rows = self._execute(
            f"SELECT {_COLUMNS} FROM ({chunk}) AS streams WHERE oldest > seq OR EXISTS ("
            " SELECT 1 FROM messages"
            " WHERE messages.stream = streams.id AND messages.seq <= streams.oldest"
            " AND (messages.seq < streams.oldest OR messages.time < :cutoff)) ORDER BY id",
            values,
        ).fetchall()
        return [self._state(row) for row in rows], last

    def _state(self, row: Sequence[Any]) -> StreamState:
        number, key, name, topic, epoch, seq, oldest, size = row
        if not all(isinstance(each, int) for each in (seq, oldest, size)):
            raise sqlite3.DatabaseError(
                f"the row {number} of the table streams has a value that is no whole number"
            )
        first = self._messages.first_seq(number)
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
        stream.last_id = self._messages.id_at(stream, seq)
        return stream


def _head(name: str, epoch: str, seq: int, oldest: int, topic: str, last_id: str) -> Head:
    return Head(name=name, epoch=epoch, seq=seq, oldest=oldest, topic=topic, last_id=last_id)
