"""Tests of a server behind a proxy, whose headers have the clients' addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.listening.endpoints import server_endpoint
from chatd.server.accounts import Accounts
from chatd.server.factory import ChatFactory
from chatd.server.limits import Limits
from chatd.server.protocol import ServerProtocol
from chatd.wire.messages import Message, MessageType, SessionAck
from tests.fakes.peers import SocketTransport

NONSENSE = {
    "port": b"PROXY TCP4 1.2.3.4 1.2.3.4 abc 1\r\n",
    "address": b"PROXY TCP4 \xff\xfe 1.2.3.4 1 1\r\n",
    "too little": b"PROXY TCP4 1.2.3.4\r\n",
    "no header": b"\0\0\0\x10chatd without any proxy",
}


def header(host: str) -> bytes:
    """Make a PROXY header."""
    return f"PROXY TCP4 {host} 192.0.2.1 5555 9999\r\n".encode()


def unix_header() -> bytes:
    """Make a PROXY header of version 2 that tells UNIX sockets."""
    return b"\r\n\r\n\0\r\nQUIT\n\x21\x31" + (216).to_bytes(2, "big") + b"/there".ljust(216, b"\0")


class Proxied:
    """A connection from a proxy, first counted as 192.0.2.1."""

    def __init__(self, build: Callable[..., Any]) -> None:
        self.wrapper = build(None)
        self.transport = SocketTransport(self.wrapper)
        self.wrapper.makeConnection(self.transport)
        self.protocol: ServerProtocol = self.wrapper.wrappedProtocol

    def send(self, data: bytes) -> None:
        self.wrapper.dataReceived(data)


class ProxyCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.serve()

    def serve(self, **options: Any) -> None:
        """Serve behind a proxy."""
        self.factory = ChatFactory(self.reactor, **options)
        endpoint = server_endpoint(self.reactor, "haproxy:tcp:9999")
        self.successResultOf(endpoint.listen(self.factory))
        self.wrapping = self.reactor.tcpServers[-1][1]

    def connect(self, data: bytes = b"") -> Proxied:
        proxied = Proxied(self.wrapping.buildProtocol)
        if data:
            proxied.send(data)
        return proxied

    def is_over(self, *connections: Proxied) -> list[bool]:
        return [each.protocol.connection.is_over for each in connections]


class SiteTests(ProxyCase):
    """Each connection counts for the address in its header."""

    def setUp(self) -> None:
        super().setUp()
        self.serve(limits=Limits(max_unestablished=4))

    def test_first_bytes(self) -> None:
        """Connections of an address do not drive out those of another address."""
        alice = self.connect(header("203.0.113.7") + b"\0")
        flood = [self.connect(header("198.51.100.9") + b"\0") for _ in range(3)]
        self.connect()
        self.assertEqual(self.is_over(alice, *flood), [False, True, False, False])

    def test_header_alone(self) -> None:
        """A header counts even if no bytes follow it, in pieces of any size."""
        alice = self.connect(header("203.0.113.7"))
        flood = [self.connect() for _ in range(3)]
        for each in flood:
            for start in (0, 20):
                each.send(header("198.51.100.9")[start:][: 20 if not start else None])
        self.connect()
        self.assertEqual(self.is_over(alice, *flood), [False, True, False, False])


class PasswordTests(ProxyCase):
    """The server refuses a password in the clear, with any header."""

    def last_word(self, first: bytes) -> str:
        """Send a password after a header, and return the code of the answer."""
        checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
        self.serve(accounts=Accounts(Clock(), [checker]))
        proxied = self.connect(first)
        id = proxied.protocol.connection.session_id
        ack = SessionAck(session_id=id, name="alice", password="secret")
        proxied.send(self.factory.codec.encode(Message(MessageType.SESSION_ACK, ack)))
        self.reactor.advance(0)
        return str(proxied.protocol.connection.end_reason)

    def test_in_the_clear(self) -> None:
        """The server refuses it if the header names TCP, and if it names a UNIX socket."""
        for first in (header("203.0.113.7"), unix_header()):
            self.assertIn("auth-in-clear", self.last_word(first))


class NonsenseTests(ProxyCase):
    """A malformed header ends the connection, with one line in the log."""

    def test_nonsense(self) -> None:
        """The connection closes, and the log has no error of the server."""
        for what, data in NONSENSE.items():
            with capturedLogs() as events:
                proxied = self.connect()
                proxied.send(data)
                self.assertEqual(proxied.transport.ends, ["close"], what)
                proxied.transport.lose()
            (line,) = map(formatEvent, events)
            self.assertIn("not established: code=connection-lost ", line)
            self.assertIn("it does not begin with a valid PROXY header", line, what)

    def test_lost(self) -> None:
        """A connection that is lost within a header is not blamed for the header."""
        with capturedLogs() as events:
            self.connect(header("203.0.113.7")[:20]).transport.lose()
        (line,) = map(formatEvent, events)
        self.assertIn("not established: code=connection-lost ", line)
        self.assertNotIn("header", line)

    def test_in_pieces(self) -> None:
        """A malformed header in pieces ends the connection, too."""
        proxied = self.connect(NONSENSE["port"][:20])
        self.assertEqual(proxied.transport.ends, [])
        proxied.send(NONSENSE["port"][20:])
        self.assertEqual(proxied.transport.ends, ["close"])

    def test_of_the_server(self) -> None:
        """The server does not take its own error for a malformed header."""
        proxied = self.connect()

        def fail(data: bytes) -> None:
            raise ValueError("a fault of the server's")

        proxied.protocol.dataReceived = fail
        self.assertRaises(ValueError, proxied.send, header("203.0.113.7") + b"\0")
        self.assertRaises(ValueError, proxied.send, b"\0")
        self.assertEqual(proxied.transport.ends, [])
