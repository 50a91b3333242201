"""`Batch`: the messages that the SQLite store appends in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chatd.storage.sqlite.messagetable import Row, row_of
from chatd.storage.sqlite.streamstate import StreamState
from chatd.storage.sqlite.tables import Tables
from chatd.storage.values import Entry, Outcome, Stored, place, repeat
from chatd.wire.messages import Message

__all__ = ["Batch"]


class Batch:
    """Messages appended in one transaction, and the new states of their streams.

    Call either `place_new` or `place_each`, then `save`, all within the transaction.

    Args:
        tables: The tables.
        load: Returns the state of a stream, by its key; the batch changes only a copy.
        cutoff: The time before which messages are too old, in Unix seconds.

    Attributes:
        staged: The state that each stream has once the transaction is done, by key.
    """

    def __init__(self, tables: Tables, load: Callable[[str], StreamState], cutoff: float) -> None:
        self._tables = tables
        self._load = load
        self._cutoff = cutoff
        self.staged: dict[str, StreamState] = {}

    def place_new(self, entries: Sequence[Entry]) -> list[Outcome]:
        """Write messages whose ids are all new.

        Raises:
            sqlite3.IntegrityError: The stream has a message of the same author and id.
        """
        rows: list[Row] = []
        outcomes: list[Outcome] = []
        for entry in entries:
            stream = self.staged.get(entry.stream) or self._stage(entry.stream)
            message = _place_next(stream, entry)
            rows.append(row_of(stream, entry.author, message))
            outcomes.append(Stored(message, True))
        self._tables.messages.insert(rows)
        return outcomes

    def place_each(self, entries: Sequence[Entry]) -> list[Outcome]:
        """Write the messages whose ids are new, and look up the others."""
        messages = self._tables.messages
        outcomes: list[Outcome] = []
        for entry in entries:
            stream = self.staged.get(entry.stream)
            if stream is None:
                stream = self._stage(entry.stream)
                self._tables.pruner.trim(stream, self._cutoff)
            earlier = messages.find(stream, entry)
            if earlier is not None and earlier.seq is not None:
                if earlier.seq >= stream.oldest:
                    outcomes.append(repeat(entry, earlier))
                    continue
                messages.delete(stream, earlier.seq)
            message = _place_next(stream, entry)
            messages.insert([row_of(stream, entry.author, message)])
            outcomes.append(Stored(message, True))
        return outcomes

    def save(self, added: int) -> int:
        """Save the states of the streams, and prune the streams with new messages.

        Args:
            added: How many messages the batch was given.

        Returns:
            How many of them are new.
        """
        new = 0
        for stream in self.staged.values():
            if stream.seq != stream.written_seq:
                new += stream.seq - stream.written_seq
                self._tables.pruner.prune_appended(stream, added, self._cutoff)
                self._tables.streams.save(stream)
        return new

    def _stage(self, key: str) -> StreamState:
        """Return a copy of a stream's state, and write the stream if it is not in the database."""
        stream = self.staged[key] = self._load(key).copied()
        if stream.id is None:
            self._tables.streams.begin(stream)
        return stream


def _place_next(stream: StreamState, entry: Entry) -> Message:
    """Give an entry the next place in a stream, and return its message."""
    stream.seq += 1
    stream.last_id = entry.header.id
    stream.bytes += len(entry.content)
    return place(entry, stream.seq)
