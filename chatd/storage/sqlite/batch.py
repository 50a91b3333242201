"""`Batch`: the messages that the SQLite store appends in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from chatd.storage.sqlite.inserts import RUN_ROWS, Row
from chatd.storage.sqlite.streamstate import StreamState
from chatd.storage.sqlite.tables import Tables
from chatd.storage.values import Entry, Outcome, Stored, place, repeat

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
        if len(entries) == 1:
            return [self._write_next(self._stage(entries[0].stream), entries[0])]
        rows: list[Row] = []
        outcomes: list[Outcome] = []
        inserts = self._tables.messages.inserts
        for shared, run in groupby(entries, _shared):
            stream = self.staged.get(shared[0]) or self._stage(shared[0])
            first = stream.seq + 1
            placed = list(run)
            outcomes += _place_next(stream, placed)
            own = [(entry.header.id, entry.content) for entry in placed]
            columns = (stream.id, *shared[1:])
            if len(own) < RUN_ROWS:
                rows += [(*columns, seq, *each) for seq, each in enumerate(own, first)]
            else:
                inserts.write_run(columns, first, own)
        inserts.write_rows(rows)
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
            outcomes.append(self._write_next(stream, entry))
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

    def _write_next(self, stream: StreamState, entry: Entry) -> Stored:
        """Give an entry the next place in a stream, and write it."""
        (stored,) = _place_next(stream, (entry,))
        columns = (stream.id, *_shared(entry)[1:])
        row = (*columns, stream.seq, entry.header.id, entry.content)
        self._tables.messages.inserts.write_row(row)
        return stored

    def _stage(self, key: str) -> StreamState:
        """Return a copy of a stream's state, and write the stream if it is not in the database."""
        stream = self.staged[key] = self._load(key).copied()
        if stream.id is None:
            self._tables.streams.begin(stream)
        return stream


def _shared(
    entry: Entry,
) -> tuple[str, str, str | None, str | None, str | None, float | None, str | None]:
    """Return what the messages of a run have in common."""
    header = entry.header
    return (
        entry.stream,
        entry.author,
        header.sender,
        header.room,
        header.to,
        header.time,
        header.content_type,
    )


def _place_next(stream: StreamState, entries: Sequence[Entry]) -> list[Stored]:
    """Give entries the next places in a stream."""
    first = stream.seq + 1
    stream.seq += len(entries)
    stream.last_id = entries[-1].header.id
    stream.bytes += sum([len(entry.content) for entry in entries])
    return [Stored(place(entry, seq), True) for seq, entry in enumerate(entries, first)]
