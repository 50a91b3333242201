"""`SqliteStreams`: the methods of `IMessageStore` on SQLite, as functions that block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial, wraps
from sqlite3 import Error as SqliteError
from sqlite3 import IntegrityError
from typing import Concatenate, ParamSpec, TypeVar
from uuid import uuid4

import msgspec

from chatd.errors import StoreError
from chatd.storage.paging import read_page
from chatd.storage.privateroom import PrivateRoom
from chatd.storage.sqlite.batch import Batch
from chatd.storage.sqlite.database import Database
from chatd.storage.sqlite.retention import Budget
from chatd.storage.sqlite.streamstate import StreamCache, StreamState
from chatd.storage.sqlite.streamtable import Counts
from chatd.storage.sqlite.tables import Tables
from chatd.storage.streamkeys import is_room
from chatd.storage.values import (
    DirectHead,
    Entry,
    Head,
    Outcome,
    Page,
    Retention,
    StreamPosition,
)

__all__ = ["SqliteStreams"]

P = ParamSpec("P")
T = TypeVar("T")
Placing = Callable[[Batch, Sequence[Entry]], list[Outcome]]
"""A method of `Batch` that writes entries."""


def _guarded(
    method: Callable[Concatenate[SqliteStreams, P], T],
) -> Callable[Concatenate[SqliteStreams, P], T]:
    """Make a method raise `StoreError` instead of an error of SQLite."""

    @wraps(method)
    def guarded(self: SqliteStreams, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._database.guarded():
            return method(self, *args, **kwargs)

    return guarded


class SqliteStreams:
    """The streams in a database. The methods do the same as those of `IMessageStore`.

    Any thread may use it, but only one at a time.

    Args:
        database: The database.
        retention: How much of a stream is kept.
        unix_time: Returns the time by which messages age, in Unix seconds.
        cache: The streams whose state is kept in memory.

    Attributes:
        found: How much the database kept when it was opened.
        dropped: How many messages beyond the retention it had then.
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
        self.found = Counts(0, 0, 0)
        self.dropped = 0

    def open(self) -> None:
        """Open the database.

        Raises:
            ConfigurationError: The database cannot be used.
        """
        with self._database.opening() as connection:
            tables = Tables(connection, self._retention)
            with self._database.transaction():
                before = tables.streams.count_written()
                tables.pruner.tidy(self._cutoff())
                self.found = tables.streams.count(self._cutoff())
        self.dropped = before - self.found.messages
        self._open_tables = tables

    def close(self) -> None:
        """Close the database.

        Raises:
            StoreError: The end of the run could not be noted in the database; it is closed anyway.
        """
        self._open_tables = None
        self._database.close()

    @_guarded
    def open_stream(self, key: str, name: str) -> Head:
        """Return where a stream stands, and begin it if it does not exist."""
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
            return self._append(entries, Batch.place_new)
        except IntegrityError:  # the stream has an id already: nothing was written, so begin again
            return self._append(entries, Batch.place_each)

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
        stream, table = self._trimmed(key), self._tables.messages
        return read_page(
            stream.head,
            after,
            before,
            id_at=partial(table.id_at, stream),
            up=lambda start: table.read_up(stream, start, limit, max_bytes),
            down=lambda end: table.read_down(stream, end, limit, max_bytes),
        )

    @_guarded
    def set_topic(self, key: str, topic: str) -> None:
        """Set a room's topic."""
        self._changed(self._stream(key), topic=topic)

    @_guarded
    def release(self, key: str) -> None:
        """Note that a room is empty."""
        stream = self._trimmed(key)
        if stream.kept:
            self._cache.loosen(key)
            return
        if stream.id is not None:
            with self._database.transaction():
                self._tables.pruner.clear(stream.copied(), Budget())
        self._cache.forget(key)

    @_guarded
    def rooms(self, after: str, limit: int) -> list[Head]:
        """See `IMessageStore.rooms`."""
        return self._tables.streams.rooms(after, limit, self._cutoff())

    @_guarded
    def conversations(self, author: str, after: str, limit: int) -> list[DirectHead]:
        """See `IMessageStore.conversations`."""
        return self._tables.streams.direct_heads(author, after, limit, self._cutoff())

    @_guarded
    def private_rooms(self) -> list[PrivateRoom]:
        """See `IMessageStore.private_rooms`."""
        return self._tables.private_rooms.load()

    @_guarded
    def keep_private(self, room: PrivateRoom, *, instead_of: PrivateRoom | None) -> bool:
        """See `IMessageStore.keep_private`."""
        with self._database.transaction():
            if self._tables.private_rooms.find(room.key) != instead_of:
                return False
            self._tables.private_rooms.save(room)
        return True

    @_guarded
    def drop_private(self, room: PrivateRoom) -> bool:
        """See `IMessageStore.drop_private`."""
        with self._database.transaction():
            if self._tables.private_rooms.find(room.key) != room:
                return False
            self._tables.private_rooms.drop(room.key)
        return True

    @_guarded
    def expire_some(self, after: int = 0) -> int | None:
        """Drop some of the messages that are too old, a bounded number at a time.

        Args:
            after: 0 to begin with, then the result of the last call.

        Returns:
            The argument of the next call, or None if all is done.
        """
        cutoff, budget = self._cutoff(), Budget()
        done: list[StreamState] = []
        with self._database.transaction():
            stale, place = self._tables.streams.find_stale(after, cutoff)
            for stream in stale:
                done.append(stream)
                is_held = self._cache.is_open(stream.key)
                if not self._tables.pruner.expire(stream, cutoff, budget, is_held=is_held):
                    place = stream.number - 1  # this stream has more
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
        """Return the state of a stream, from memory or the database; begin it if it is new."""
        stream = self._cache.get(key)
        if stream is None:
            stream = self._tables.streams.load(key)
            if stream is None:
                stream = StreamState(key=key, name=name, epoch=uuid4().hex)
            self._cache.put(stream)
        return stream

    def _trimmed(self, key: str, name: str = "") -> StreamState:
        """Return the state of a stream, without the messages that are too old."""
        stream = self._stream(key, name)
        if stream.id is not None:
            self._tables.pruner.trim(stream, self._cutoff())
        return stream

    def _changed(self, stream: StreamState, **values: str) -> StreamState:
        """Set values of a stream, and save them if the stream is in the database."""
        changed = msgspec.structs.replace(stream, **values)
        if changed.id is not None:
            with self._database.transaction():
                self._tables.streams.save(changed)
        self._cache.put(changed)
        return changed

    def _append(self, entries: Sequence[Entry], place: Placing) -> list[Outcome]:
        """Append in one transaction; the cached states change when it is done."""
        batch = Batch(self._tables, self._stream, self._cutoff())
        try:
            with self._database.transaction():
                outcomes = place(batch, entries)
                said = batch.save(len(entries))
        except (StoreError, SqliteError):
            self._look_again(batch.staged)
            raise
        self._database.said(said)
        for stream in batch.staged.values():
            self._cache.put(stream)
        return outcomes

    def _look_again(self, keys: Iterable[str]) -> None:
        """Load the states of streams from the database, which may hold more than the cache knew."""
        for key in keys:
            with suppress(SqliteError):
                stream = self._tables.streams.load(key)
                if stream is not None:
                    self._cache.renew(stream)
