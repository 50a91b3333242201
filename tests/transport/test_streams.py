"""Tests of what a transport is asked, with sockets that no reactor knows."""

from __future__ import annotations

import socket

from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.trial.unittest import SynchronousTestCase

from chatd.transport.streams import has_hung_up
from tests.fakes.peers import SocketTransport, memory_factory


class HungUpTests(SynchronousTestCase):
    """A socket is its own transport here: it has a number."""

    def setUp(self) -> None:
        self.transport, self.peer = socket.socketpair()
        for each in (self.transport, self.peer):
            self.addCleanup(each.close)

    def test_there(self) -> None:
        """Who has sent something, or nothing, is there."""
        self.assertFalse(has_hung_up(self.transport))
        self.peer.send(b"hello")
        self.assertFalse(has_hung_up(self.transport))

    def test_closed(self) -> None:
        """Who has closed is not, also where what it sent before was not read."""
        self.peer.send(b"hello")
        self.peer.close()
        self.assertTrue(has_hung_up(self.transport))

    def test_half_closed(self) -> None:
        """Nor is who says nothing more."""
        self.peer.shutdown(socket.SHUT_WR)
        self.assertTrue(has_hung_up(self.transport))

    def test_tcp(self) -> None:
        """So it is over TCP."""
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
        """What wraps a transport, as TLS and `haproxy:` do, is looked through."""
        wrapper = ProtocolWrapper(WrappingFactory(Factory()), Protocol())
        wrapper.transport = self.transport  # type: ignore[assignment]  # it is only handed on
        self.assertFalse(has_hung_up(wrapper))
        self.peer.close()
        self.assertTrue(has_hung_up(wrapper))

    def test_no_socket(self) -> None:
        """Nothing is known of what is no socket, or none any more."""
        self.assertFalse(has_hung_up(SocketTransport(memory_factory().buildProtocol(None))))
        self.peer.close()
        self.transport.close()
        self.assertFalse(has_hung_up(self.transport))
