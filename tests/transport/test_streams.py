"""Tests of stream transports, with sockets outside of any reactor."""

from __future__ import annotations

import contextlib
import socket
import tempfile
from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.trial.unittest import SynchronousTestCase

from chatd.transport.streams import bytes_taken, has_hung_up
from tests.fakes.peers import SocketTransport, memory_factory


class HungUpTests(SynchronousTestCase):
    """In these tests, a socket is its own transport: it has a file descriptor."""

    def setUp(self) -> None:
        self.transport, self.peer = socket.socketpair()
        for each in (self.transport, self.peer):
            self.addCleanup(each.close)

    def test_there(self) -> None:
        """A peer that is connected has not hung up, whether it has sent bytes or not."""
        self.assertFalse(has_hung_up(self.transport))
        self.peer.send(b"hello")
        self.assertFalse(has_hung_up(self.transport))

    def test_closed(self) -> None:
        """A peer that has closed has hung up, even if its last bytes are unread."""
        self.peer.send(b"hello")
        self.peer.close()
        self.assertTrue(has_hung_up(self.transport))

    def test_half_closed(self) -> None:
        """A peer that has closed its sending half has hung up."""
        self.peer.shutdown(socket.SHUT_WR)
        self.assertTrue(has_hung_up(self.transport))

    def test_tcp(self) -> None:
        """A TCP peer that has closed its sending half has hung up."""
        with (
            socket.create_server(("127.0.0.1", 0)) as port,
            socket.create_connection(port.getsockname()) as peer,
            port.accept()[0] as transport,
        ):
            peer.send(b"hello")
            self.assertFalse(has_hung_up(transport))
            peer.shutdown(socket.SHUT_WR)
            self.assertTrue(has_hung_up(transport))

    def test_wrapped(self) -> None:
        """Wrappers of a transport, such as TLS and `haproxy:`, make no difference."""
        wrapper = ProtocolWrapper(WrappingFactory(Factory()), Protocol())
        wrapper.transport = self.transport  # type: ignore[assignment]  # it is only handed on
        self.assertFalse(has_hung_up(wrapper))
        self.peer.close()
        self.assertTrue(has_hung_up(wrapper))

    def test_no_socket(self) -> None:
        """For a transport that is not a socket, or is closed, the answer is False."""
        self.assertFalse(has_hung_up(SocketTransport(memory_factory().buildProtocol(None))))
        self.peer.close()
        self.transport.close()
        self.assertFalse(has_hung_up(self.transport))


class BytesTakenTests(SynchronousTestCase):
    """The bytes that the peer of a socket takes while more wait for it."""

    def check(self, transport: socket.socket, peer: socket.socket) -> None:
        """Fill the system's buffers, and then read a part of it."""
        self.assertIsNone(bytes_taken(transport))
        transport.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                transport.send(bytes(4096))
        before: Any = bytes_taken(transport)
        self.assertIsInstance(before, int)
        self.assertEqual(bytes_taken(transport), before)
        taken: Any = before
        while taken == before:
            peer.recv(4096)  # more bytes wait, so this returns
            taken = bytes_taken(transport)
        self.assertIsInstance(taken, int)
        self.assertGreater(taken, before)

    def test_unix(self) -> None:
        """The peer of a UNIX socket has taken the bytes that it has read."""
        transport, peer = socket.socketpair()
        with transport, peer:
            self.check(transport, peer)

    def test_tcp(self) -> None:
        """The peer of a TCP socket has taken the bytes that its system has acknowledged."""
        with (
            socket.create_server(("127.0.0.1", 0)) as port,
            socket.create_connection(port.getsockname()) as peer,
            port.accept()[0] as transport,
        ):
            self.check(transport, peer)

    def test_wrapped(self) -> None:
        """Wrappers of a transport, such as TLS, make no difference."""
        transport, peer = socket.socketpair()
        wrapper = ProtocolWrapper(WrappingFactory(Factory()), Protocol())
        wrapper.transport = transport  # type: ignore[assignment]  # it is only handed on
        with transport, peer:
            transport.send(b"hello")
            self.assertEqual(bytes_taken(wrapper), bytes_taken(transport))
            self.assertIsNotNone(bytes_taken(wrapper))

    def test_unknown(self) -> None:
        """For a transport that is not a socket, or is closed, the answer is None."""
        self.assertIsNone(bytes_taken(SocketTransport(memory_factory().buildProtocol(None))))
        with tempfile.TemporaryFile() as file:
            self.assertIsNone(bytes_taken(file))
        transport, peer = socket.socketpair()
        peer.close()
        transport.close()
        self.assertIsNone(bytes_taken(transport))
