"""Tests of stream transports, with sockets outside of any reactor."""

from __future__ import annotations

import socket

from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.trial.unittest import SynchronousTestCase

from chatd.transport.streams import has_hung_up
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
