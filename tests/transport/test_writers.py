"""Tests of writing: a socket takes the bytes that it can, and the reactor writes the rest."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.testing import MemoryReactor, StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from chatd.transport.writers import CopyingTransport, SocketWriter, TransportWriter, writer_for
from tests.transport.cases import Socket


class SocketWriterTests(SynchronousTestCase):
    """The writer writes to a socket at once."""

    def setUp(self) -> None:
        self.reactor = MemoryReactor()

    def make(self, room: int | None) -> tuple[Socket, Any]:
        socket = Socket(self.reactor, room)
        writer = writer_for(socket)
        self.assertIsInstance(writer, SocketWriter)
        return socket, writer

    def test_all(self) -> None:
        """Bytes that fit are all sent, in any number of pieces, without the reactor."""
        socket, writer = self.make(1_000)
        writer.write(bytes(range(25)))
        writer.write(memoryview(b"end"))
        self.assertEqual(socket.taken, bytes(range(25)) + b"end")
        self.assertEqual(self.reactor.getWriters(), [])

    def test_the_rest(self) -> None:
        """The rest waits, in order, until the reactor reports that the socket is writable."""
        socket, writer = self.make(15)
        scratch = bytearray(b"0123456789abcdefghij")
        writer.write(memoryview(scratch))
        scratch[:] = bytes(20)  # the memory is used again
        writer.write(b"then")
        self.assertEqual(socket.taken, b"0123456789abcde")
        self.assertEqual(self.reactor.getWriters(), [socket])
        socket.room = 1_000
        while self.reactor.getWriters():
            socket.doWrite()
        self.assertEqual(socket.taken, b"0123456789abcdefghijthen")
        writer.write(b"!")
        self.assertEqual(socket.taken[-1:], b"!")

    def test_broken(self) -> None:
        """The writer leaves a broken socket to the reactor, which gets the same error."""
        socket, writer = self.make(None)
        writer.write(b"lost")
        self.assertEqual(self.reactor.getWriters(), [socket])
        self.assertIsInstance(socket.doWrite(), ConnectionLost)

    def test_gone(self) -> None:
        """The writer does not write to a lost socket."""
        socket, writer = self.make(1_000)
        socket.connected = 0
        writer.write(b"late")
        self.assertEqual((socket.taken, self.reactor.getWriters()), (b"", []))

    def test_closes_meanwhile(self) -> None:
        """The writer leaves a socket that has room again while it closes to the reactor."""
        socket, writer = self.make(0)
        socket.disconnecting = True
        grown = socket.writeSomeData

        def write_some_data(data: bytes) -> int | Exception:
            socket.writeSomeData = grown
            return 0

        socket.writeSomeData = write_some_data
        socket.room = 1_000
        writer.write(b"bye")
        self.assertEqual(socket.taken, b"bye")
        self.assertEqual(self.reactor.getWriters(), [socket])
        self.assertIsNotNone(socket.doWrite())

    def test_tls_begun_on_it(self) -> None:
        """A socket that has begun TLS gets the plaintext, and no direct writes."""
        socket, _ = self.make(1_000)
        directlyProvides(socket, ISSLTransport)
        self.assertIsInstance(writer_for(socket), TransportWriter)


class CopyingTransportTests(SynchronousTestCase):
    """A transport that copies what it writes needs no writer."""

    def test_itself(self) -> None:
        """Its bytes are copied once."""
        transport: Any = CopyingTransport()
        self.assertIs(writer_for(transport), transport)
        self.assertRaises(NotImplementedError, transport.write, b"")


class TransportWriterTests(SynchronousTestCase):
    """Any other transport gets its own copy of the bytes."""

    def test_write(self) -> None:
        """Written memory may be overwritten at once."""
        transport: Any = StringTransport()
        writer = writer_for(transport)
        self.assertIsInstance(writer, TransportWriter)
        scratch = bytearray(b"one")
        writer.write(memoryview(scratch))
        scratch[:] = b"two"
        self.assertEqual(transport.value(), b"one")
