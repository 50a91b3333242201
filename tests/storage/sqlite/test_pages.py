"""Reads of the store in a database: their cost, and their turns."""

from typing import Any

from twisted.internet.defer import Deferred

from chatd.storage.sqlite.store import MAX_READERS, SqliteStore
from chatd.storage.streamkeys import direct_stream, room_stream
from chatd.storage.values import Durability
from tests.storage.stores import LOBBY, AtOnce, StoreCase, entries, entry


class LookUpTests(StoreCase):
    def test_pages_cost_what_they_hold(self):
        """A page of a long list takes the database as many steps as a page of a short list."""
        streams, database = self.make_streams()
        steps: list[Any] = []

        def cost_of(ask):
            steps.clear()
            self.assertEqual(len(ask()), 5)
            return len(steps)

        asked = (
            lambda: streams.rooms("r1", 5),
            lambda: streams.conversations("m", "n1", 5),
            lambda: streams.conversations("x", "n1", 5),
        )
        costs = []
        for number in range(1000):
            names = (room_stream(f"r{number}"), direct_stream("m", f"n{number}"))
            streams.append(
                [entry("1", stream=stream) for stream in (*names, direct_stream(f"n{number}", "x"))]
            )
            if number in (30, 999):
                database.connection.set_progress_handler(lambda: steps.append(1), 1)
                costs.append([cost_of(ask) for ask in asked])
                database.connection.set_progress_handler(None, 1)
        self.assertEqual(costs[0], costs[1])

    def test_readers_in_turn(self):
        """Only a few reads run together, and an append waits for no more than those."""
        given = []

        class Later(AtOnce):
            def __call__(self, function):
                done: Deferred[Any] = Deferred()
                given.append((function, done))
                return done

        store = SqliteStore(
            self.directory, durability=Durability.NORMAL, run=Later(), unix_time=lambda: self.now
        )
        store.open()
        pages = [Deferred.fromCoroutine(store.read(LOBBY, limit=1, max_bytes=1)) for _ in range(10)]
        said = Deferred.fromCoroutine(store.append(entries(1)))
        self.assertEqual(len(given), MAX_READERS + 1)
        while given:
            function, done = given.pop(0)
            done.callback(function())
        self.successResultOf(said)
        seen = [self.successResultOf(page).head.seq for page in pages]
        self.assertEqual(seen, [0] * MAX_READERS + [1] * (10 - MAX_READERS))
        closing = Deferred.fromCoroutine(store.close())
        function, done = given.pop()
        done.callback(function())
        self.successResultOf(closing)
