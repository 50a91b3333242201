"""Tests of `chatd.server.shedding`."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.server.connections import Connections
from chatd.server.limits import Limits
from chatd.server.shedding import LoadShedder


class FakeConnection:
    """Notes its end."""

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
        """If too many connections have no session, the oldest gets the reason and ends."""
        first, second, third = (self.connect() for _ in range(3))
        self.assertEqual([first.ends, second.ends, third.ends], [[SHED], [], []])

    def test_make_room(self):
        """To admit a connection, the server aborts another, which gets the reason."""
        first = self.connect()
        self.assertTrue(self.shedder.make_room())
        self.assertEqual(first.ends, [SHED, "abort"])

    def test_no_room_to_be_made(self):
        """There may be no connection without a session."""
        self.assertFalse(self.shedder.make_room())

    def test_arriving(self):
        """If too many bytes arrive, the peer with the oldest large incomplete frame goes."""
        first, second = self.connect(), self.connect()
        self.shedder.arriving(first, 60)
        self.shedder.arriving(second, 60)
        self.assertEqual([first.ends, second.ends], [[SHED], []])

    def test_ended(self):
        """Of the refused connections that stay open, the first is aborted for the next."""
        sent_away = [self.connect() for _ in range(3)]
        for connection in sent_away:
            connection.ends.clear()
            self.shedder.ended(connection, is_gone=False)
        self.assertEqual([each.ends for each in sent_away], [["abort"], [], []])
