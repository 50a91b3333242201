"""Tests of closing connections where there are too many."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.server.connections import Connections
from chatd.server.limits import Limits
from chatd.server.shedding import LoadShedder


class FakeConnection:
    """Notes how it is ended."""

    def __init__(self):
        self.ends = []

    def end_session(self, code, reason, *, retry=False):
        self.ends.append((code, retry))

    def abort(self):
        self.ends.append("abort")


SHED = ("overloaded", True)


class SheddingTests(SynchronousTestCase):
    def setUp(self):
        self.connections: Connections[Any] = Connections(
            Limits(max_unestablished=2, max_arriving=100)
        )
        self.shedder = LoadShedder(self.connections)

    def connect(self, address="192.0.2.1"):
        connection = FakeConnection()
        self.shedder.connected(connection, address)
        return connection

    def test_too_many(self):
        """Where one too many has no session, the oldest is told to come back."""
        first, second, third = (self.connect() for _ in range(3))
        self.assertEqual([first.ends, second.ends, third.ends], [[SHED], [], []])

    def test_make_room(self):
        """For a connection that the system has no room for, another is told why and cut off."""
        first = self.connect()
        self.assertTrue(self.shedder.make_room())
        self.assertEqual(first.ends, [SHED, "abort"])

    def test_no_room_to_be_made(self):
        """There may be nobody without a session."""
        self.assertFalse(self.shedder.make_room())

    def test_arriving(self):
        """Where too much arrives that is not whole, the oldest of the large ones goes."""
        first, second = self.connect(), self.connect()
        self.shedder.arriving(first, 60)
        self.shedder.arriving(second, 60)
        self.assertEqual([first.ends, second.ends], [[SHED], []])

    def test_ended(self):
        """Of those that were sent away and do not go, the first is cut off for the next."""
        sent_away = [self.connect() for _ in range(3)]
        for connection in sent_away:
            connection.ends.clear()
            self.shedder.ended(connection, is_gone=False)
        self.assertEqual([each.ends for each in sent_away], [["abort"], [], []])
