"""Tests of `Acceptor` on a real Twisted port."""

from __future__ import annotations

import errno
import os
import resource
import socket
from typing import Any

from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.tcp import Port
from twisted.internet.unix import Port as UnixPort
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from chatd.listening.accepting import RETRY_S, SPARED, Acceptor

DEADLINE_S = 20.0


@implementer(IReactorFDSet)
class FakeReactor(Clock):  # type: ignore[misc]  # it has what a port calls
    """A reactor that never polls its readers: the test does.

    Attributes:
        readers: The readers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[object] = set()

    def addReader(self, reader: object) -> None:
        self.readers.add(reader)

    def removeReader(self, reader: object) -> None:
        self.readers.discard(reader)

    def addWriter(self, writer: object) -> None:
        """Have nothing to write."""

    def removeWriter(self, writer: object) -> None:
        """Have nothing to write."""

    def callFromThread(self, function: object) -> None:
        """Have no threads."""


class ScarceSocket:
    """A listening socket of a process with a limited number of descriptors.

    Attributes:
        left: How many more connections can be accepted.
    """

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self.left = 0

    def accept(self) -> tuple[socket.socket, object]:
        if not self.left:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        connection, address = self._listening.accept()
        self.left -= 1
        return connection, address

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listening, name)


class PortTests(SynchronousTestCase):
    """A listening port that only the test polls."""

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.built: list[Protocol] = []
        self.gone: list[Protocol] = []
        self.may_go = False
        self.factory = Factory()
        self.factory.noisy = False
        self.factory.buildProtocol = self.build  # type: ignore[assignment]  # any address
        self.port = self.listen()
        self.scarce = self.port.socket = ScarceSocket(self.port.socket)
        Acceptor(self.reactor, self.port, self.make_room)
        self.addCleanup(self.close)

    def listen(self) -> Port:
        port = Port(0, self.factory, interface="127.0.0.1", reactor=self.reactor)
        port.startListening()
        self.address: Any = (port.getHost().host, port.getHost().port)
        return port

    def make_room(self) -> bool:
        """Abort the oldest connection, if the test allows it."""
        if self.may_go:
            self.gone.append(self.built.pop(0))
            self.gone[-1].transport.abortConnection()
        return self.may_go

    def close(self) -> None:
        for protocol in self.built:
            protocol.transport.connectionLost(Failure(ConnectionError()))
        if self.port.connected:
            self.port.connectionLost(Failure(ConnectionError()))

    def build(self, address: object) -> Protocol:
        self.built.append(Protocol())
        return self.built[-1]

    def connect(self) -> socket.socket:
        """Connect; that works if the system's queue has room."""
        connection = socket.socket(self.port.addressFamily)
        self.addCleanup(connection.close)
        connection.settimeout(DEADLINE_S)
        connection.connect(self.address)
        return connection

    def is_open(self, connection: socket.socket) -> bool:
        """Return whether the other side has kept a connection open."""
        connection.setblocking(False)
        try:
            return connection.recv(1) != b""
        except BlockingIOError:
            return True

    def look(self) -> None:
        """Poll the port, as the reactor would if it reads from it."""
        if self.port in self.reactor.readers:
            self.port.doRead()

    def test_wait(self) -> None:
        """A connection without a descriptor waits, and gets its service with a free descriptor."""
        connections = [self.connect() for _ in range(5)]
        self.scarce.left = 2
        with capturedLogs() as events:
            for _ in range(3):
                self.look()
        self.assertEqual([event["log_level"].name for event in events], ["warn"])
        self.assertEqual(len(self.built), 2)
        self.assertTrue(all(map(self.is_open, connections)))
        self.assertNotIn(self.port, self.reactor.readers)

        self.scarce.left = 5
        self.look()
        self.assertEqual(len(self.built), 2)
        self.reactor.advance(RETRY_S)
        for _ in range(5):
            self.look()
        self.assertEqual(len(self.built), 5)
        self.assertTrue(all(map(self.is_open, connections)))

    def spare_all_but(self, number: int) -> int:
        """Lower the limit to a number of further descriptors; return the first spared one."""
        free = os.dup(self.scarce.fileno())
        os.close(free)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + number + SPARED, hard))
        return free + number

    def test_spared(self) -> None:
        """With any number of connections, no spared descriptor is used; the log says so once."""
        self.scarce.left = 100
        waiting = [self.connect() for _ in range(30)]
        first_spared = self.spare_all_but(10)
        with capturedLogs() as events:
            for _ in range(20):
                self.look()
                self.reactor.advance(RETRY_S)
                numbers = [each.transport.fileno() for each in self.built]
                self.assertLess(max(numbers), first_spared)
                self.assertEqual(len(self.built), 10)
                self.assertEqual([event["log_level"].name for event in events], ["warn"])
                self.built.pop(0).transport.connectionLost(Failure(ConnectionError()))
            for _ in range(3):
                self.reactor.advance(RETRY_S)
                self.look()
        self.assertEqual([event["log_level"].name for event in events], ["warn", "info"])
        self.assertEqual(len(self.built), 10)
        self.assertTrue(all(map(self.is_open, waiting[20:])))

    def test_makes_room(self) -> None:
        """For each waiting connection, the oldest closes, in order of arrival, and no other."""
        self.scarce.left = 100
        waiting = [self.connect() for _ in range(30)]
        self.spare_all_but(10)
        self.may_go = True
        for _ in range(60):
            self.look()
            self.reactor.advance(0)
        self.assertEqual((len(self.built), len(self.gone)), (10, 20))
        self.assertTrue(all(map(self.is_open, waiting[20:])))
        self.assertIn(self.port, self.reactor.readers)

    def test_pace(self) -> None:
        """When descriptors are free again, the port accepts as many in a turn as before."""
        for _ in range(3):
            self.look()
            self.reactor.advance(RETRY_S)
        self.scarce.left = 100
        for _ in range(40):
            self.connect()
        for _ in range(10):
            self.look()
        self.assertEqual(len(self.built), 40)

    def test_stop(self) -> None:
        """If the port stops, waiting connections close, and no timer remains."""
        connection = self.connect()
        self.look()
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        stopped = self.port.stopListening()
        self.reactor.advance(0)
        self.successResultOf(stopped)
        self.assertEqual((self.reactor.getDelayedCalls(), self.reactor.readers), ([], set()))
        self.assertFalse(self.is_open_after_all(connection))

    def is_open_after_all(self, connection: socket.socket) -> bool:
        """Return whether a connection is open, as soon as the system knows."""
        try:
            return connection.recv(1) != b""
        except ConnectionResetError:
            return False


class UnixPortTests(PortTests):
    """The tests of the port, on a UNIX socket."""

    def listen(self) -> Port:
        self.address = f"\0chatd-{os.getpid()}-{id(self)}"
        port = UnixPort(self.address, self.factory, reactor=self.reactor)
        port.startListening()
        return port
