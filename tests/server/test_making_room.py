"""Tests of a server for which the system has no room for another connection."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.server.factory import ChatFactory
from tests.fakes.peers import (
    Peer,
    SocketTransport,
    ack,
    greeted_client,
    hand_client,
    memory_factory,
    settle,
)


def transport_of(host: str) -> type[SocketTransport]:
    """Return a function that connects a client from an address."""

    class Transport(SocketTransport):
        def getPeer(self) -> IPv4Address:
            return IPv4Address("TCP", host, 40_000)

    return Transport


def client_of(factory: ChatFactory, host: str) -> Peer:
    """Connect a client from an address that is greeted and does not answer."""
    return greeted_client(factory, transport_of(host))


class MakeRoomTests(SynchronousTestCase):
    """A connection without a session is aborted at once."""

    def setUp(self) -> None:
        self.factory = memory_factory()

    def test_nobody(self) -> None:
        """If every connection has a session, the server aborts no connection."""
        alice = hand_client(self.factory)
        self.assertFalse(self.factory.engine.shedder.make_room())
        settle(self.factory)
        self.assertEqual(alice.transport.ends, [])
        self.assertTrue(alice.protocol.session.is_active)

    def test_most_first(self) -> None:
        """The oldest of the address that has most is aborted, without waiting for it to read."""
        other = client_of(self.factory, "203.0.113.7")
        flood = [client_of(self.factory, "198.51.100.9") for _ in range(3)]
        self.assertTrue(self.factory.engine.shedder.make_room())
        settle(self.factory)
        self.assertEqual([each.transport.ends for each in flood], [["abort"], [], []])
        self.assertEqual(other.transport.ends, [])
        self.assertEqual(len(self.factory.engine.connections), 3)
        self.assertEqual(
            self.factory.clock.getDelayedCalls()[3:], []
        )  # a timer for each connection

    def test_logged(self) -> None:
        """The server logs it like other shed connections."""
        client_of(self.factory, "198.51.100.9")
        with capturedLogs() as events:
            self.factory.engine.shedder.make_room()
        (line,) = map(formatEvent, events)
        self.assertIn("refused: code=overloaded address=198.51.100.9 ", line)

    def test_sent_away(self) -> None:
        """A refused connection that stays open is aborted before any other."""
        waiting = client_of(self.factory, "203.0.113.7")
        sent_away = client_of(self.factory, "198.51.100.9")
        sent_away.protocol.end_session("kicked", "go")
        settle(self.factory)
        self.assertEqual(sent_away.transport.ends, ["half-close"])
        with capturedLogs() as events:
            self.assertTrue(self.factory.engine.shedder.make_room())
        self.assertEqual(sent_away.transport.ends, ["half-close", "abort"])
        self.assertEqual(events, [])  # its end was logged before
        self.assertEqual(waiting.transport.ends, [])

    def test_flood(self) -> None:
        """A client from elsewhere gets its session, even if an address opens many connections."""
        for _ in range(20):
            client_of(self.factory, "198.51.100.9")
        bob = client_of(self.factory, "203.0.113.7")
        for _ in range(50):
            self.assertTrue(self.factory.engine.shedder.make_room())
            client_of(self.factory, "198.51.100.9")
        bob.send(ack(bob, "bob"))
        settle(self.factory)
        self.assertTrue(bob.protocol.session.is_active)
        self.assertEqual(len(self.factory.engine.connections), 21)
