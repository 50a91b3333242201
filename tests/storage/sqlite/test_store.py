"""The SQLite store beyond the contract: closed, and closing."""

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from chatd.errors import ConfigurationError, StoreError
from chatd.storage.sqlite.mark import PREFIX
from chatd.storage.sqlite.store import MAX_READERS, SqliteStore
from chatd.storage.values import Durability, Retention
from tests.storage.stores import LOBBY, AtOnce, SqliteCase, entries


class Later(AtOnce):
    """Runs functions when the test says so.

    Attributes:
        waiting: The functions that were not run yet, and their results.
        ends: How often it was told to stop.
        failure: The error of the start, or None.
    """

    def __init__(self, failure: Exception | None = None) -> None:
        self.waiting: list[Any] = []
        self.ends = 0
        self.failure = failure

    def start(self):
        if self.failure is not None:
            raise self.failure

    def stop(self):
        self.ends += 1

    def __call__(self, function):
        result: Deferred[Any] = Deferred()
        self.waiting.append((function, result))
        return result

    def answer(self):
        """Run the next function, as the thread does, even if nobody waits for the result."""
        function, result = self.waiting.pop(0)
        try:
            value = function()
        except BaseException:
            result.errback(Failure())
        else:
            result.callback(value)


class FaultTests(SqliteCase):
    """Opening and closing that fail, or for which the caller no longer waits."""

    def make(self, failure=None):
        """Make a store that is not open yet."""
        self.later = Later(failure)
        return SqliteStore(self.directory, durability=Durability.NORMAL, run=self.later)

    def close(self, store):
        """Begin to close the store."""
        return Deferred.fromCoroutine(store.close())

    def test_runner_does_not_start(self):
        """If the thread cannot start, the error reaches the caller, and the files are closed."""
        store = self.make(ConfigurationError("no thread"))
        with pytest.raises(ConfigurationError, match=r"^no thread$"):
            store.open()
        self.successResultOf(self.close(store))
        self.make_sqlite()  # which would fail if the directory were still in use

    def test_database_does_not_open(self):
        """If the database cannot be opened, the thread does not start."""
        other = self.make_sqlite()
        store = self.make(AssertionError("it was started"))
        with pytest.raises(ConfigurationError, match=r"in use by another chatd$"):
            store.open()
        self.successResultOf(Deferred.fromCoroutine(other.close()))

    def test_close_fails(self):
        """The thread ends even if the end of the run could not be noted."""
        store = self.make()
        store.open()
        closed = self.close(store)
        store._streams._database.connection.execute("PRAGMA query_only = ON")
        self.later.answer()
        self.failureResultOf(closed, StoreError)
        self.assertEqual(self.later.ends, 1)

    def test_close_is_cancelled(self):
        """The caller does not wait for the thread; the database is closed when its turn comes."""
        store = self.make()
        store.open()
        closed = self.close(store)
        closed.cancel()
        self.failureResultOf(closed, CancelledError)
        self.assertEqual(self.later.ends, 0)  # to stop it means to wait for it
        self.later.answer()
        self.make_sqlite()

    def test_close_is_cancelled_behind_reads(self):
        """Reads that were called before are still answered; only the process closes the files."""
        store = self.make()
        store.open()
        reads = [Deferred.fromCoroutine(store.rooms(limit=1)) for _ in range(MAX_READERS + 1)]
        closed = self.close(store)
        closed.cancel()
        self.failureResultOf(closed, CancelledError)
        while self.later.waiting:
            self.later.answer()
        for read in reads:
            self.assertEqual(self.successResultOf(read), [])
        self.assertEqual(self.later.ends, 0)
        with pytest.raises(ConfigurationError, match=r"in use by another chatd$"):
            self.make_sqlite()
        store._streams.close()


class ClosedTests(SqliteCase):
    def calls(self, store):
        return (
            store.open_stream(LOBBY, "Lobby"),
            store.append(entries(1)),
            store.read(LOBBY, limit=1, max_bytes=1),
            store.set_topic(LOBBY, "topic"),
            store.release(LOBBY),
            store.rooms(limit=1),
            store.conversations("ann", limit=1),
            store.expire(),
        )

    def assert_not_open(self, store):
        for call in self.calls(store):
            self.failureResultOf(Deferred.fromCoroutine(call), StoreError)

    def test_closed(self):
        """A store that is closed, or not open yet, answers every call with an error."""
        self.assert_not_open(SqliteStore(self.directory, durability=Durability.FULL, run=AtOnce()))
        store = self.make_sqlite()
        for _ in range(2):
            self.successResultOf(Deferred.fromCoroutine(store.close()))
            self.assert_not_open(store)

    def test_parts_closed(self):
        """The parts of a closed store answer with an error; closing them again is allowed."""
        streams, database = self.make_streams()
        for _ in range(2):
            streams.close()
        for part in (lambda: streams.rooms("", 1), lambda: database.connection):
            with pytest.raises(StoreError, match=r"chatd\.db is not open$"):
                part()

    def test_no_write_ahead_log_is_left(self):
        """Closing the store removes the write-ahead log: all data is in one file."""
        streams, database = self.make_streams()
        streams.append(entries(1))
        streams.close()
        names = {path.name for path in self.directory.iterdir()}
        self.assertEqual(
            {name for name in names if not name.startswith(PREFIX)}, {"chatd.db", "chatd.lock"}
        )
        self.assertGreater(database.path.stat().st_size, 0)

    def test_expire_ends_when_closed(self):
        """Closing the store does not wait for the deletion of old messages, and does not fail."""
        later = Later()
        store = SqliteStore(
            self.directory,
            Retention(max_age_s=10),
            durability=Durability.NORMAL,
            run=later,
            unix_time=lambda: self.now,
        )
        store.open()
        appended = Deferred.fromCoroutine(store.append(entries(*range(1_200))))
        later.answer()
        self.successResultOf(appended)
        self.now += 11
        expired = Deferred.fromCoroutine(store.expire())
        closed = Deferred.fromCoroutine(store.close())
        later.answer()
        self.successResultOf(expired)
        later.answer()
        self.successResultOf(closed)
        self.assertEqual(later.waiting, [])
