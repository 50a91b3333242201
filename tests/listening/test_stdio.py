"""Tests of the client on standard input and output, over pipes on a reactor in memory."""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from chatd.connection.limits import HANDSHAKE_TIMEOUT_S
from chatd.listening.stdio import StdioAddress, StdioEndpoint, StdioTransport
from chatd.server.factory import ChatFactory
from chatd.transport.closing import CLOSE_TIMEOUT_S


@implementer(IHalfCloseableProtocol)
class NotingProtocol(Protocol):
    """A protocol that notes its calls."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def dataReceived(self, data: bytes) -> None:
        self.told.append(data)

    def readConnectionLost(self) -> None:
        self.told.append("no more input")

    def writeConnectionLost(self) -> None:
        self.told.append("no more output")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.told.append(reason.type)


class StdioCase(SynchronousTestCase):
    """A connection whose other side is the test."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.standard_input, self.input = os.pipe()
        self.output, self.standard_output = os.pipe()
        self.open = {self.standard_input, self.input, self.output, self.standard_output}
        self.addCleanup(lambda: list(map(os.close, self.open)))
        self.protocol = NotingProtocol()
        self.factory: Any = Factory.forProtocol(lambda: self.protocol)

    def serve(self) -> Any:
        """Serve the client."""
        endpoint = StdioEndpoint(self.reactor, self.standard_input, self.standard_output)
        transport: Any = self.successResultOf(endpoint.listen(self.factory))
        self.addCleanup(transport.connectionLost, Failure(ConnectionDone()))
        return transport

    def close(self, number: int) -> None:
        """Close one of the test's ends."""
        self.open.remove(number)
        os.close(number)

    def end_input(self) -> None:
        """Close the client's output, and let the reactor notice."""
        self.close(self.input)
        reader = self.reader_called("read")
        self.assertIs(reader.doRead(), CONNECTION_DONE)
        reader.connectionLost(Failure(CONNECTION_DONE))

    def end_output(self) -> None:
        """Close the client's input, and let the reactor notice."""
        self.close(self.output)
        self.reader_called("write").connectionLost(Failure(CONNECTION_DONE))

    def reader_called(self, name: str) -> Any:
        """Return the reactor's readers: input, and output, whose end it notices by reading."""
        (reader,) = (each for each in self.reactor.readers if each.name == name)
        return reader

    def write_out(self) -> None:
        """Let the reactor write pending data."""
        for writer in list(self.reactor.writers):
            why = writer.doWrite()
            if why is not None:
                self.reactor.removeWriter(writer)
                writer.connectionLost(Failure(why))


class ServingTests(StdioCase):
    """The client is served, and only the client."""

    def test_both_ways(self) -> None:
        """The protocol gets the client's bytes, and the client its answers."""
        transport = self.serve()
        os.write(self.input, b"hello")
        self.reader_called("read").doRead()
        transport.write(b"welcome")
        self.write_out()
        self.assertEqual(self.protocol.told, [b"hello"])
        self.assertEqual(os.read(self.output, 100), b"welcome")
        self.assertNoResult(transport.ended)

    def test_addresses(self) -> None:
        """The addresses have readable words for the log."""
        transport = self.serve()
        for address in (transport.getPeer(), transport.getHost(), StdioAddress()):
            self.assertEqual(str(address), "standard input and output")

    def test_nobody_else(self) -> None:
        """Other output of the process does not mix with the session, and it reads no input."""
        self.serve()
        os.write(self.standard_output, b"a stray line")
        os.write(self.input, b"for the daemon")
        self.assertEqual(os.read(self.standard_input, 100), b"")
        os.set_blocking(self.output, False)
        self.assertRaises(BlockingIOError, os.read, self.output, 100)

    def test_closed(self) -> None:
        """Closed standard input or output is an error; chatd takes no other file for it."""
        self.patch(sys, "__stdin__", None)
        failure = self.failureResultOf(StdioEndpoint(self.reactor).listen(self.factory), OSError)
        self.assertEqual(failure.value.strerror, "standard input or output is closed")
        self.close(self.standard_input)
        endpoint = StdioEndpoint(self.reactor, self.standard_input, self.standard_output)
        self.failureResultOf(endpoint.listen(self.factory), OSError)


class EndingTests(StdioCase):
    """The connection ends when any side or direction ends, and closes its descriptors."""

    def assert_ended(self, transport: StdioTransport, *told: object) -> None:
        """Check that all was received, and that the connection closed its ends."""
        self.assertEqual(self.protocol.told, list(told))
        self.assertIsNone(self.successResultOf(transport.ended))
        if self.output in self.open:
            self.assertEqual(os.read(self.output, 100), b"")
        if self.input in self.open:
            self.assertRaises(BrokenPipeError, os.write, self.input, b"x")
        self.assertEqual(self.reactor.readers | self.reactor.writers, set())

    def test_input_first(self) -> None:
        """After the end of input, the protocol can still answer; then the connection ends."""
        transport = self.serve()
        self.end_input()
        transport.write(b"the answer")
        transport.loseConnection()
        self.assertNoResult(transport.ended)
        self.write_out()
        self.assertEqual(os.read(self.output, 100), b"the answer")
        self.write_out()
        self.assert_ended(transport, "no more input", ConnectionDone)

    def test_output_first(self) -> None:
        """If the client stops reading, the port reads its bytes to the end, and closes."""
        transport = self.serve()
        self.end_output()
        os.write(self.input, b"last words")
        self.reader_called("read").doRead()
        self.end_input()
        self.assertNoResult(transport.ended)
        transport.write(b"unheard")
        transport.loseConnection()
        self.reactor.advance(0)
        self.assert_ended(
            transport, "no more output", b"last words", "no more input", ConnectionDone
        )

    def test_output_goes_while_it_closes(self) -> None:
        """The connection also ends if the client leaves while data is pending."""
        transport = self.serve()
        transport.write(b"unheard")
        transport.loseConnection()
        self.close(self.output)
        self.write_out()
        self.assertEqual(len(self.protocol.told), 1)
        self.assertIsNone(self.successResultOf(transport.ended))

    def test_half_closed(self) -> None:
        """Output alone can be closed: the client sees its end, and closes its own side."""
        transport = self.serve()
        transport.loseWriteConnection()
        self.write_out()
        self.assertEqual(os.read(self.output, 100), b"")
        self.assertNoResult(transport.ended)
        self.end_input()
        transport.loseConnection()
        self.reactor.advance(0)
        self.assert_ended(transport, "no more output", "no more input", ConnectionDone)

    def test_cut_off(self) -> None:
        """The server can abort a client that does not read; pending data is dropped."""
        transport = self.serve()
        transport.write(b"unheard")
        transport.abortConnection()
        self.assertNoResult(transport.ended)
        self.reactor.advance(0)
        self.assert_ended(transport, ConnectionAborted)

    def test_once(self) -> None:
        """The connection ends once, for any number of reasons."""
        transport = self.serve()
        transport.abortConnection()
        transport.connectionLost(Failure(ConnectionDone()))
        self.reactor.advance(0)
        self.assert_ended(transport, ConnectionDone)


class SessionTests(StdioCase):
    """A chat session on standard input and output ends, with any behaviour of the client."""

    def setUp(self) -> None:
        super().setUp()
        self.factory = ChatFactory(self.reactor)

    def pass_time(self, seconds: int) -> None:
        """Let time pass, and write pending data."""
        for _ in range(seconds):
            self.reactor.advance(1)
            self.write_out()

    def test_silent_peer(self) -> None:
        """The port cuts off a silent client that keeps everything open."""
        transport = self.serve()
        self.pass_time(int(HANDSHAKE_TIMEOUT_S + CLOSE_TIMEOUT_S) + 1)
        self.assertIsNone(self.successResultOf(transport.ended))
        self.assertIn(b"handshake-timeout", os.read(self.output, 10_000))

    def test_deaf_peer(self) -> None:
        """The port cuts off a client that does not read, even if data waits for it."""
        transport = self.serve()
        transport.write(bytes(10**6))  # more than a pipe holds
        self.pass_time(int(HANDSHAKE_TIMEOUT_S + CLOSE_TIMEOUT_S) + 1)
        self.assertIsNone(self.successResultOf(transport.ended))

    def test_peer_that_left(self) -> None:
        """The server does not wait for a client that closed both directions."""
        transport = self.serve()
        self.write_out()
        self.end_output()
        self.end_input()
        self.pass_time(1)
        self.assertIsNone(self.successResultOf(transport.ended))
