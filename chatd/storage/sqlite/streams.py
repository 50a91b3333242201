"""`SqliteStreams`: what `IMessageStore` asks for, on SQLite, as functions that block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial, wraps
from sqlite3 import Error as SqliteError
from sqlite3 import IntegrityError
from typing import Concatenate, ParamSpec, TypeVar
from uuid import uuid4

import msgspec

from chatd.errors import StoreError
from chatd.storage.sqlite.database import Database
from chatd.storage.sqlite.streamstate import StreamCache, StreamState
from chatd.storage.sqlite.tables import SWEEP_BYTES, SWEEP_ROWS, Budget, Row, Tables, row_of
from chatd.storage.streamkeys import is_room
from chatd.storage.values import (
    DirectHead,
    Entry,
    Head,
    Outcome,
    Page,
    Retention,
    Stored,
    StreamPosition,
    place,
    repeat,
    resume_from,
)

__all__ = ["SqliteStreams"]

P = ParamSpec("P")
T = TypeVar("T")
Staged = dict[str, StreamState]
"""Where streams will stand when a transaction is done, by key."""
Placing = Callable[[Sequence[Entry], Staged], list[Outcome]]
"""Writes entries within a transaction."""


def _guarded(
    method: Callable[Concatenate[SqliteStreams, P], T],
) -> Callable[Concatenate[SqliteStreams, P], T]:
    """Let a method raise `StoreError` in place of what SQLite raises."""

    @wraps(method)
    def guarded(self: SqliteStreams, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._database.guarded():
            return method(self, *args, **kwargs)

    return guarded


class SqliteStreams:
    """The streams in a database. The methods are those of `IMessageStore`, and as it says.

    It may be used by one thread at a time, not always the same.

    Args:
        database: The database.
        retention: How much of a stream is kept.
        unix_time: What tells the time that messages bear, in Unix seconds.
        cache: The streams that are kept in mind.
    """

    def __init__(
        self,
        database: Database,
        retention: Retention,
        unix_time: Callable[[], float],
        cache: StreamCache | None = None,
    ) -> None:
        self._database = database
        self._retention = retention
        self._unix_time = unix_time
        self._cache = StreamCache() if cache is None else cache
        self._open_tables: Tables | None = None

    def open(self) -> None:
        """Open the database.

        Raises:
            ConfigurationError: It cannot be used.
        """
        with self._database.opening() as connection:
            tables = Tables(connection, self._retention)
            with self._database.transaction():
                tables.tidy(self._cutoff())
        self._open_tables = tables

    @property
    def was_put_back(self) -> bool:
        """See `Database.was_put_back`."""
        return self._database.was_put_back

    def close(self) -> None:
        """Close the database.

        Raises:
            StoreError: It could not be noted in it that it was closed; closed it is.
        """
        self._open_tables = None
        self._database.close()

    @_guarded
    def open_stream(self, key: str, name: str) -> Head:
        """Say where a stream stands, and begin it if there is none."""
        stream = self._trimmed(key, name)
        if name and not stream.name:
            stream = self._changed(stream, name=name)
        if is_room(key):
            self._cache.hold(stream)
        return stream.head

    @_guarded
    def append(self, entries: Sequence[Entry]) -> list[Outcome]:
        """Give messages their places, in one transaction."""
        try:
            return self._append(entries, self._place_new)
        except IntegrityError:  # an id that is there already: nothing was done, so all over again
            return self._append(entries, self._place_each)

    @_guarded
    def read(
        self,
        key: str,
        *,
        after: int | StreamPosition | None,
        before: int | None,
        limit: int,
        max_bytes: int,
    ) -> Page:
        """Read a part of a stream."""
        stream = self._trimmed(key)
        is_recovered = False
        if isinstance(after, StreamPosition):
            after, is_recovered = resume_from(
                stream.head, after, partial(self._tables.id_at, stream)
            )
        if after is None:
            end = (
                stream.seq + 1
                if before is None
                else max(stream.oldest, min(before, stream.seq + 1))
            )
            messages = self._tables.read_down(stream, end, limit, max_bytes)
            is_complete = len(messages) == end - stream.oldest
            messages.reverse()
        else:
            start = min(max(stream.oldest, after + 1), stream.seq + 1)
            messages = self._tables.read_up(stream, start, limit, max_bytes)
            is_complete = start + len(messages) > stream.seq
        return Page(messages, stream.head, is_complete, is_recovered)

    @_guarded
    def set_topic(self, key: str, topic: str) -> None:
        """Set a room's topic."""
        self._changed(self._stream(key), topic=topic)

    @_guarded
    def release(self, key: str) -> None:
        """Take note that nobody is in a room any more."""
        stream = self._trimmed(key)
        if stream.kept:
            self._cache.loosen(key)
            return
        if stream.id is not None:
            with self._database.transaction():
                self._clear(stream.copied(), Budget())
        self._cache.forget(key)

    @_guarded
    def rooms(self, after: str, limit: int) -> list[Head]:
        """See `IMessageStore.rooms`."""
        return self._tables.rooms(after, limit, self._cutoff())

    @_guarded
    def conversations(self, author: str, after: str, limit: int) -> list[DirectHead]:
        """See `IMessageStore.conversations`."""
        return self._tables.conversations(author, after, limit, self._cutoff())

    @_guarded
    def expire_some(self, after: int = 0) -> int | None:
        """Drop some of the messages that have become too old; a bounded number at a time.

        Args:
            after: 0 to begin with, then what the last call returned.

        Returns:
            Where to go on, or None if all is done.
        """
        cutoff, budget = self._cutoff(), Budget()
        done: list[StreamState] = []
        with self._database.transaction():
            stale, place = self._tables.find_stale(after, cutoff)
            for stream in stale:
                done.append(stream)
                if not self._expire(stream, cutoff, budget):
                    place = stream.number - 1  # there is more of this one
                    break
        for stream in done:
            if stream.kept or self._cache.is_open(stream.key):
                self._cache.renew(stream)
            else:
                self._cache.forget(stream.key)
        if place is None:
            self._cache.forget_unsaid()
            self._database.renew_mark()
        return place

    @property
    def _tables(self) -> Tables:
        if self._open_tables is None:
            raise StoreError(f"{self._database.path} is not open")
        return self._open_tables

    def _cutoff(self) -> float:
        return self._unix_time() - self._retention.max_age_s

    def _stream(self, key: str, name: str = "") -> StreamState:
        """Return a stream as it is in mind; begin it if there is none."""
        stream = self._cache.get(key)
        if stream is None:
            stream = self._tables.load(key)
            if stream is None:
                stream = StreamState(key=key, name=name, epoch=uuid4().hex)
            self._cache.put(stream)
        return stream

    def _trimmed(self, key: str, name: str = "") -> StreamState:
        """Return a stream without what has become too old."""
        stream = self._stream(key, name)
        if stream.id is not None:
            self._tables.trim(stream, self._cutoff())
        return stream

    def _changed(self, stream: StreamState, **values: str) -> StreamState:
        """Set what is said of a stream, in the database too if it is there."""
        changed = msgspec.structs.replace(stream, **values)
        if changed.id is not None:
            with self._database.transaction():
                self._tables.save(changed)
        self._cache.put(changed)
        return changed

    def _append(self, entries: Sequence[Entry], place_in: Placing) -> list[Outcome]:
        """Append in one transaction; the streams in mind are changed when it is done."""
        staged: Staged = {}
        said = 0
        try:
            with self._database.transaction():
                outcomes = place_in(entries, staged)
                for stream in staged.values():
                    if stream.seq != stream.written_seq:
                        said += stream.seq - stream.written_seq
                        self._save(stream, len(entries))
        except (StoreError, SqliteError):
            self._look_again(staged)
            raise
        self._database.said(said)
        for stream in staged.values():
            self._cache.put(stream)
        return outcomes

    def _look_again(self, staged: Staged) -> None:
        """Keep in mind what the database says, should it be more than was known."""
        for key in staged:
            with suppress(SqliteError):
                stream = self._tables.load(key)
                if stream is not None:
                    self._cache.renew(stream)

    def _place_new(self, entries: Sequence[Entry], staged: Staged) -> list[Outcome]:
        """Write messages whose ids are all new.

        Raises:
            sqlite3.IntegrityError: One is not.
        """
        rows: list[Row] = []
        outcomes: list[Outcome] = []
        for entry in entries:
            stream = staged.get(entry.stream) or self._stage(entry.stream, staged)
            rows.append(_next_row(stream, entry))
            outcomes.append(Stored(place(entry, stream.seq), True))
        self._tables.insert(rows)
        return outcomes

    def _place_each(self, entries: Sequence[Entry], staged: Staged) -> list[Outcome]:
        """Write those of the messages whose ids are new."""
        outcomes: list[Outcome] = []
        for entry in entries:
            stream = staged.get(entry.stream)
            if stream is None:
                stream = self._stage(entry.stream, staged)
                self._tables.trim(stream, self._cutoff())
            earlier = self._tables.find(stream, entry)
            if earlier is not None and earlier.seq is not None:
                if earlier.seq >= stream.oldest:
                    outcomes.append(repeat(entry, earlier))
                    continue
                self._tables.delete(stream, earlier.seq)
            self._tables.insert([_next_row(stream, entry)])
            outcomes.append(Stored(place(entry, stream.seq), True))
        return outcomes

    def _stage(self, key: str, staged: Staged) -> StreamState:
        """Return a copy of a stream that is in the database."""
        stream = staged[key] = self._stream(key).copied()
        if stream.id is None:
            self._tables.begin(stream)
        return stream

    def _save(self, stream: StreamState, added: int) -> None:
        """Write where a stream stands, and delete what is too much once it is worthwhile."""
        if self._tables.is_over(stream):
            self._tables.trim(stream, self._cutoff())
        if stream.oldest - stream.first >= SWEEP_ROWS or stream.waste_bytes >= SWEEP_BYTES:
            self._tables.sweep(stream, Budget(rows=SWEEP_ROWS + added))
        self._tables.save(stream)

    def _expire(self, stream: StreamState, cutoff: float, budget: Budget) -> bool:
        """Delete what has become too old, and say whether it is all deleted."""
        self._tables.trim(stream, cutoff)
        if not stream.kept and not self._cache.is_open(stream.key):
            return self._clear(stream, budget)
        is_swept = self._tables.sweep(stream, budget)
        self._tables.save(stream)
        return is_swept

    def _clear(self, stream: StreamState, budget: Budget) -> bool:
        """Let a stream be gone, and say whether its messages are all deleted."""
        self._tables.retire(stream)
        is_swept = self._tables.sweep(stream, budget)
        if is_swept:
            self._tables.remove(stream)
        return is_swept


def _next_row(stream: StreamState, entry: Entry) -> Row:
    """Give an entry the next place in a stream."""
    stream.seq += 1
    stream.last_id = entry.id
    stream.bytes += len(entry.content)
    return row_of(stream, entry)
