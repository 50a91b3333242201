"""Tests of the client behind the command, while the server says nothing."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.console import SILENCE_S, ConsoleFactory
from chatd.cli.display import QuietDisplay
from chatd.cli.login import Login
from chatd.server.factory import ChatFactory
from tests.fakes.peers import SocketTransport, TlsTransport, settle


class SilenceTests(SynchronousTestCase):
    """A person is told that the server does not speak first, as a server with TLS does not."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[str] = []

    def connect(self, transport_class: Any = SocketTransport) -> Any:
        """Connect a client on a transport."""
        factory = ConsoleFactory(
            self.clock,
            QuietDisplay(lambda _: None),
            Login(),
            silent=lambda: self.told.append("silent"),
        )
        client: Any = factory.buildProtocol(None)
        client.makeConnection(transport_class(client))
        return client

    def test_silent(self) -> None:
        """The person is told once, after a moment."""
        self.connect()
        self.clock.advance(SILENCE_S - 0.1)
        self.assertEqual(self.told, [])
        self.clock.advance(0.1)
        self.clock.advance(SILENCE_S)
        self.assertEqual(self.told, ["silent"])

    def test_spoken(self) -> None:
        """A server that has spoken may then take its time."""
        client = self.connect()
        server: Any = ChatFactory(self.clock).buildProtocol(None)
        server.makeConnection(transport := SocketTransport(server))
        settle(server.factory)
        client.dataReceived(b"".join(transport.writes)[:10])
        self.clock.advance(SILENCE_S)
        self.assertEqual(self.told, [])

    def test_with_tls(self) -> None:
        """With TLS, it is no hint."""
        self.connect(TlsTransport)
        self.clock.advance(SILENCE_S)
        self.assertEqual(self.told, [])

    def test_lost(self) -> None:
        """A lost connection tells by itself."""
        client = self.connect()
        client.end_session("connection-lost", "gone")
        self.clock.advance(SILENCE_S)
        self.assertEqual(self.told, [])
