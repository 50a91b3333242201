"""The SQLite store beyond the contract: closed, and closing."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from chatd.errors import StoreError
from chatd.storage.sqlite.mark import PREFIX
from chatd.storage.sqlite.store import SqliteStore
from chatd.storage.values import Durability, Retention
from tests.storage.stores import LOBBY, AtOnce, SqliteCase, entries


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
        waiting = []

        class Later(AtOnce):
            def __call__(self, function):
                result: Deferred[Any] = Deferred()
                waiting.append((function, result))
                return result

        store = SqliteStore(
            self.directory,
            Retention(max_age_s=10),
            durability=Durability.NORMAL,
            run=Later(),
            unix_time=lambda: self.now,
        )

        def answer():
            function, result = waiting.pop(0)
            result.callback(function())

        store.open()
        appended = Deferred.fromCoroutine(store.append(entries(*range(1_200))))
        answer()
        self.successResultOf(appended)
        self.now += 11
        expired = Deferred.fromCoroutine(store.expire())
        closed = Deferred.fromCoroutine(store.close())
        answer()
        self.successResultOf(expired)
        answer()
        self.successResultOf(closed)
        self.assertEqual(waiting, [])
