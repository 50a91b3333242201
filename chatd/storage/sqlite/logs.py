"""`SqliteLogs`: what `IMessageStore` asks for, on SQLite, as functions that block."""

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
from chatd.storage.interface import (
    Conversation,
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
from chatd.storage.logstate import LogCache, LogState, is_room
from chatd.storage.sqlite.database import Database
from chatd.storage.sqlite.tables import SWEEP_BYTES, SWEEP_ROWS, Budget, Row, Tables, row_of

__all__ = ["SqliteLogs"]

P = ParamSpec("P")
T = TypeVar("T")
Staged = dict[str, LogState]
"""Where logs will stand when a transaction is done, by key."""
Placing = Callable[[Sequence[Entry], Staged], list[Outcome]]
"""Writes entries within a transaction."""


def _guarded(
    method: Callable[Concatenate[SqliteLogs, P], T],
) -> Callable[Concatenate[SqliteLogs, P], T]:
    """Let a method raise `StoreError` in place of what SQLite raises."""

    @wraps(method)
    def guarded(self: SqliteLogs, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._database.guarded():
            return method(self, *args, **kwargs)

    return guarded


class SqliteLogs:
    """The logs in a database. The methods are those of `IMessageStore`, and as it says.

    It may be used by one thread at a time, not always the same.

    Args:
        database: The database.
        retention: How much of a log is kept.
        unix_time: What tells the time that messages bear, in Unix seconds.
        cache: The logs that are kept in mind.
    """

    def __init__(
        self,
        database: Database,
        retention: Retention,
        unix_time: Callable[[], float],
        cache: LogCache | None = None,
    ) -> None:
        self._database = database
        self._retention = retention
        self._unix_time = unix_time
        self._cache = LogCache() if cache is None else cache
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
    def open_log(self, key: str, name: str) -> Head:
        """Say where a log stands, and begin it if there is none."""
        log = self._trimmed(key, name)
        if name and not log.name:
            log = self._changed(log, name=name)
        if is_room(key):
            self._cache.hold(log)
        return log.head

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
        """Read a part of a log."""
        log = self._trimmed(key)
        is_recovered = False
        if isinstance(after, StreamPosition):
            after, is_recovered = resume_from(log.head, after, partial(self._tables.id_at, log))
        if after is None:
            end = log.seq + 1 if before is None else max(log.oldest, min(before, log.seq + 1))
            messages = self._tables.read_down(log, end, limit, max_bytes)
            is_complete = len(messages) == end - log.oldest
            messages.reverse()
        else:
            start = min(max(log.oldest, after + 1), log.seq + 1)
            messages = self._tables.read_up(log, start, limit, max_bytes)
            is_complete = start + len(messages) > log.seq
        return Page(messages, log.head, is_complete, is_recovered)

    @_guarded
    def set_topic(self, key: str, topic: str) -> None:
        """Set a room's topic."""
        self._changed(self._log(key), topic=topic)

    @_guarded
    def release(self, key: str) -> None:
        """Take note that nobody is in a room any more."""
        log = self._trimmed(key)
        if log.kept:
            self._cache.loosen(key)
            return
        if log.id is not None:
            with self._database.transaction():
                self._clear(log.copied(), Budget())
        self._cache.forget(key)

    @_guarded
    def rooms(self, after: str, limit: int) -> list[Head]:
        """See `IMessageStore.rooms`."""
        return self._tables.rooms(after, limit, self._cutoff())

    @_guarded
    def conversations(self, author: str, after: str, limit: int) -> list[Conversation]:
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
        done: list[LogState] = []
        with self._database.transaction():
            stale, place = self._tables.find_stale(after, cutoff)
            for log in stale:
                done.append(log)
                if not self._expire(log, cutoff, budget):
                    place = log.number - 1  # there is more of this one
                    break
        for log in done:
            if log.kept or self._cache.is_open(log.key):
                self._cache.renew(log)
            else:
                self._cache.forget(log.key)
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

    def _log(self, key: str, name: str = "") -> LogState:
        """Return a log as it is in mind; begin it if there is none."""
        log = self._cache.get(key)
        if log is None:
            log = self._tables.load(key)
            if log is None:
                log = LogState(key=key, name=name, epoch=uuid4().hex)
            self._cache.put(log)
        return log

    def _trimmed(self, key: str, name: str = "") -> LogState:
        """Return a log without what has become too old."""
        log = self._log(key, name)
        if log.id is not None:
            self._tables.trim(log, self._cutoff())
        return log

    def _changed(self, log: LogState, **values: str) -> LogState:
        """Set what is said of a log, in the database too if it is there."""
        changed = msgspec.structs.replace(log, **values)
        if changed.id is not None:
            with self._database.transaction():
                self._tables.save(changed)
        self._cache.put(changed)
        return changed

    def _append(self, entries: Sequence[Entry], place_in: Placing) -> list[Outcome]:
        """Append in one transaction; the logs in mind are changed when it is done."""
        staged: Staged = {}
        said = 0
        try:
            with self._database.transaction():
                outcomes = place_in(entries, staged)
                for log in staged.values():
                    if log.seq != log.written_seq:
                        said += log.seq - log.written_seq
                        self._save(log, len(entries))
        except (StoreError, SqliteError):
            self._look_again(staged)
            raise
        self._database.said(said)
        for log in staged.values():
            self._cache.put(log)
        return outcomes

    def _look_again(self, staged: Staged) -> None:
        """Keep in mind what the database says, should it be more than was known."""
        for key in staged:
            with suppress(SqliteError):
                log = self._tables.load(key)
                if log is not None:
                    self._cache.renew(log)

    def _place_new(self, entries: Sequence[Entry], staged: Staged) -> list[Outcome]:
        """Write messages whose ids are all new.

        Raises:
            sqlite3.IntegrityError: One is not.
        """
        rows: list[Row] = []
        outcomes: list[Outcome] = []
        for entry in entries:
            log = staged.get(entry.log) or self._stage(entry.log, staged)
            rows.append(_next_row(log, entry))
            outcomes.append(Stored(place(entry, log.seq), True))
        self._tables.insert(rows)
        return outcomes

    def _place_each(self, entries: Sequence[Entry], staged: Staged) -> list[Outcome]:
        """Write those of the messages whose ids are new."""
        outcomes: list[Outcome] = []
        for entry in entries:
            log = staged.get(entry.log)
            if log is None:
                log = self._stage(entry.log, staged)
                self._tables.trim(log, self._cutoff())
            earlier = self._tables.find(log, entry)
            if earlier is not None and earlier.seq is not None:
                if earlier.seq >= log.oldest:
                    outcomes.append(repeat(entry, earlier))
                    continue
                self._tables.delete(log, earlier.seq)
            self._tables.insert([_next_row(log, entry)])
            outcomes.append(Stored(place(entry, log.seq), True))
        return outcomes

    def _stage(self, key: str, staged: Staged) -> LogState:
        """Return a copy of a log that is in the database."""
        log = staged[key] = self._log(key).copied()
        if log.id is None:
            self._tables.begin(log)
        return log

    def _save(self, log: LogState, added: int) -> None:
        """Write where a log stands, and delete what is too much when it has become worthwhile."""
        if self._tables.is_over(log):
            self._tables.trim(log, self._cutoff())
        if log.oldest - log.first >= SWEEP_ROWS or log.waste_bytes >= SWEEP_BYTES:
            self._tables.sweep(log, Budget(rows=SWEEP_ROWS + added))
        self._tables.save(log)

    def _expire(self, log: LogState, cutoff: float, budget: Budget) -> bool:
        """Delete what has become too old, and say whether it is all deleted."""
        self._tables.trim(log, cutoff)
        if not log.kept and not self._cache.is_open(log.key):
            return self._clear(log, budget)
        is_swept = self._tables.sweep(log, budget)
        self._tables.save(log)
        return is_swept

    def _clear(self, log: LogState, budget: Budget) -> bool:
        """Let a log be gone, and say whether its messages are all deleted."""
        self._tables.retire(log)
        is_swept = self._tables.sweep(log, budget)
        if is_swept:
            self._tables.remove(log)
        return is_swept


def _next_row(log: LogState, entry: Entry) -> Row:
    """Give an entry the next place in a log."""
    log.seq += 1
    log.last_id = entry.id
    log.bytes += len(entry.content)
    return row_of(log, entry)
