"""A transaction that fails, at any of SQLite's instructions, changes nothing."""

from __future__ import annotations

from chatd.errors import StoreError
from chatd.storage.privateroom import PrivateRoom
from chatd.storage.streamkeys import room_stream
from chatd.storage.values import Retention
from tests.storage.sqlite.faults import Failing
from tests.storage.stores import DIRECT, LOBBY, NOW, StoreCase, entry

DEN = room_stream("den")
DAY_S = 86_400.0
FEWEST = 30
"""A number that the instructions of even the smallest transaction exceed."""
STRIDE = 5
"""The distance of the instructions that are made to fail; 1 for all of them."""
EVERYTHING = {"after": 0, "before": None, "limit": 1000, "max_bytes": 10**9}


class AnywhereTests(StoreCase):
    """A failure leaves no change in the database or in memory; the next try succeeds."""

    given: PrivateRoom | None = None

    def test_append(self):
        """Messages to a new room, to an old room and to a name, one of them sent before."""
        self.check(
            lambda streams: streams.append(
                [
                    entry("3"),
                    entry("1"),
                    entry("new", stream=DEN),
                    entry("4", b"x" * 9_000),
                    entry("told", stream=DIRECT),
                ]
            )
        )

    def test_append_over_the_bounds(self):
        """Messages that push out others, which are then deleted from the database."""
        self.check(
            lambda streams: streams.append([entry(f"more {n}") for n in range(5)]),
            Retention(max_messages=3),
        )

    def test_topic(self):
        """A topic."""
        self.check(lambda streams: streams.set_topic(LOBBY, "wine"))

    def test_private_room(self):
        """A private room in place of another."""
        before = PrivateRoom("den", "Den", frozenset({"ann", "bob"}))
        after = PrivateRoom("den", "DEN", frozenset({"cy"}))
        self.given = before
        self.check(lambda streams: streams.keep_private(after, instead_of=before))

    def test_expire(self):
        """Messages that have become too old."""
        self.check(lambda streams: streams.expire_some(), Retention(max_age_s=DAY_S), days=2)

    def test_release(self):
        """A room without kept messages."""
        self.check(lambda streams: streams.release(LOBBY), Retention(max_age_s=DAY_S), days=2)

    def check(self, act, retention=Retention(), days=0):  # noqa: B008  (frozen)
        """Make an action fail at many of its instructions, each time on a new store."""
        expected, count = self.try_once(act, retention, days, 0)
        self.assertGreater(count, FEWEST)
        self.failures = 0
        numbers = range(1, count + 1, STRIDE)
        for number in numbers:
            stands, _ = self.try_once(act, retention, days, number)
            self.assertEqual(
                stands, expected, f"after it failed at instruction {number} of {count}"
            )
        self.assertGreater(self.failures, len(numbers) // 2)

    def try_once(self, act, retention, days, number):
        """Make the action fail at one instruction, repeat it, and return the resulting state."""
        self.now = NOW
        self.directory = self.make_directory()
        streams, database = self.make_streams(retention)
        streams.open_stream(LOBBY, "Lobby")
        streams.open_stream(DEN, "Den")
        streams.append([entry("1"), entry("2"), entry("told before", stream=DIRECT)])
        if self.given is not None:
            streams.keep_private(self.given, instead_of=None)
        self.now += days * DAY_S
        failing = Failing(database.connection)
        if number:
            before = self.rows(database)
            failing.at(number)
            if self.fails(act, streams):
                self.assertEqual(self.rows(database), before)
        failing.at(0)
        act(streams)
        count = failing.count
        stands = self.stands(streams)
        database.let_go()
        streams, database = self.make_streams(retention)
        self.assertEqual(self.stands(streams), stands, "the cached states were not in the database")
        (check,) = database.connection.execute("PRAGMA integrity_check").fetchone()
        self.assertEqual(check, "ok")
        database.let_go()
        return stands, count

    def fails(self, act, streams):
        """Return whether an action fails; it need not if the store tries again by itself."""
        try:
            act(streams)
        except StoreError as error:
            self.assertNotIn("\n", str(error))
            self.failures += 1
            return True
        return False

    def rows(self, database):
        """Return the rows of the tables that actions change."""
        return [
            database.connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
            for table in ("streams", "messages", "private_rooms", "invited")
        ]

    def stands(self, streams):
        """Return the private rooms, and the state and the messages of each stream."""
        pages = [streams.read(stream, **EVERYTHING) for stream in (LOBBY, DEN, DIRECT)]
        return streams.private_rooms(), [
            (
                page.head.seq,
                page.head.topic,
                [(message.seq, message.id, len(message.content)) for message in page.messages],
            )
            for page in pages
            if page.messages
        ]
