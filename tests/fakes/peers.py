"""Shared parts of the Twisted shell's tests: transports without a socket, and peers by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IHalfCloseableDescriptor, ISSLTransport
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.test.iosim import ConnectionCompleter, IOPump
from zope.interface import implementer

from chatd.errors import StoreError
from chatd.server.factory import ChatFactory
from chatd.storage.memory import MemoryStore
from chatd.storage.values import Entry, Outcome, Page
from chatd.transport.protocol import ChatProtocol
from chatd.wire.codec import Codec
from chatd.wire.messages import Disconnect, Heartbeat, Message, MessageType, SessionAck

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
GOODBYE = Message(MessageType.DISCONNECT, Disconnect(reason="bye"))


class PipeTransport:
    """A transport that can be neither half-closed nor aborted; it records the calls.

    Attributes:
        writes: The written bytes, a piece for each write.
        ends: The ways in which it was closed, in order: `half-close`, `close`, `abort`.
        is_reading: Whether the protocol wants to read.
        is_lost: Whether the protocol was told that the connection is gone.
    """

    def __init__(self, protocol: ChatProtocol) -> None:
        self.protocol = protocol
        self.writes: list[bytes] = []
        self.ends: list[str] = []
        self.is_reading = True
        self.is_lost = False
        self._producer: Any = None

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def loseConnection(self) -> None:
        self.ends.append("close")

    def pauseProducing(self) -> None:
        self.is_reading = False

    def resumeProducing(self) -> None:
        self.is_reading = True

    def registerProducer(self, producer: ChatProtocol, streaming: bool) -> None:
        assert streaming
        self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None

    def getPeer(self) -> Any:
        return IPv4Address("TCP", "192.0.2.1", 40_000)

    # For the test

    def accept_no_more(self) -> None:
        """Make the transport full: the peer does not read."""
        if self._producer is not None:
            self._producer.pauseProducing()

    def accept_again(self) -> None:
        """Make the transport ready: the peer reads again."""
        if self._producer is not None:
            self._producer.resumeProducing()

    def lose(self, reason: Exception | None = None) -> None:
        """Tell the protocol that the connection is lost."""
        if not self.is_lost:
            self.is_lost = True
            self.protocol.connectionLost(Failure(reason or ConnectionDone()))


@implementer(IHalfCloseableDescriptor)
class TerminalTransport(PipeTransport):  # type: ignore[misc]  # it has the called methods
    """A transport that can be half-closed but not aborted, like standard input and output."""

    def loseWriteConnection(self) -> None:
        self.ends.append("half-close")


class SocketTransport(TerminalTransport):
    """A transport that can be half-closed and aborted, like a socket's."""

    def __init__(self, protocol: ChatProtocol) -> None:
        super().__init__(protocol)
        self.is_without_delay = False

    def abortConnection(self) -> None:
        self.ends.append("abort")
        self.lose(ConnectionAborted())

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.is_without_delay = enabled


@implementer(ISSLTransport)
class TlsTransport(SocketTransport):  # type: ignore[misc]  # it has the called methods
    """A transport of TLS over a socket; it also has the socket's interfaces."""


class Peer:
    """The hand-driven other side of a protocol: it sends only what the test tells it to.

    Args:
        protocol: The protocol; it is connected at once.
        codec: The codec of its key.
        transport_class: The class of the protocol's transport.

    Attributes:
        auth: Whether the greeting asks for accounts, as far as a test has looked.
    """

    def __init__(
        self,
        protocol: ChatProtocol | None,
        codec: Codec,
        transport_class: type[PipeTransport] = SocketTransport,
    ) -> None:
        assert protocol is not None
        self.protocol: Any = protocol  # a server's or a client's: tests look into it
        self.codec = codec
        self.transport: Any = transport_class(protocol)
        self._taken = 0
        self.auth = False
        transport: Any = self.transport
        protocol.makeConnection(transport)

    def send(self, *messages: Message) -> None:
        """Send messages, all in one piece."""
        self.protocol.dataReceived(b"".join(map(self.codec.encode, messages)))

    def say(self, *texts: str) -> None:
        """Send a MESSAGE for each text, all in one piece; the id of each is its text."""
        self.send(*(Message.chat(text, id=text) for text in texts))

    def take(self) -> list[Any]:
        """Return the messages written since the last call."""
        data = b"".join(self.transport.writes[self._taken :])
        self._taken = len(self.transport.writes)
        reader = self.codec.reader()
        reader.receive_data(data)
        return list(self.codec.decode_stream(reader))

    def take_texts(self) -> list[str]:
        """Return the texts of the MESSAGEs written since the last call."""
        return [taken.text for taken in self.take() if taken.type == MessageType.MESSAGE]

    def count_writes(self) -> int:
        """Return the number of writes since the last take."""
        return len(self.transport.writes) - self._taken


def hand_client(
    factory: ChatFactory,
    name: str | None = "alice",
    transport_class: type[PipeTransport] = SocketTransport,
) -> Peer:
    """Connect a hand-driven client to a factory without a key, and complete its handshake."""
    client = greeted_client(factory, transport_class)
    client.send(ack(client, name))
    settle(factory)
    client.take()
    return client


def greeted_client(
    factory: ChatFactory, transport_class: type[PipeTransport] = SocketTransport
) -> Peer:
    """Connect a hand-driven client that was greeted and has not answered."""
    protocol = factory.buildProtocol(None)
    assert protocol is not None
    client = Peer(protocol, factory.codec, transport_class)
    client.take()
    return client


def ack(client: Peer, name: str | None) -> Message:
    """Return the right answer to a server's greeting."""
    return Message(
        MessageType.SESSION_ACK,
        SessionAck(session_id=client.protocol.connection.session_id, name=name),
    )


def command(name: str, /, **fields: object) -> Message:
    """Return a COMMAND whose id is its name."""
    return Message(MessageType.COMMAND, {"id": name, "command": name, **fields})


def settle(factory: ChatFactory) -> None:
    """End the reactor's turn."""
    clock = factory.clock
    assert isinstance(clock, Clock)
    clock.advance(0)


def pong(n: int) -> Message:
    """Return a pong."""
    return Message(MessageType.HEARTBEAT, Heartbeat(n), b"pong")


def memory_factory(factory_class: Callable[..., ChatFactory] = ChatFactory, **options):
    """Return a server's factory with its own clock."""
    clock = Clock()
    return factory_class(clock, unix_time=clock.seconds, **options)


class GatedStore(MemoryStore):
    """A store that answers on the test's command; other requests wait their turn.

    Its messages never get too old.

    Attributes:
        batches: The ids of the messages of each `append`, in order.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(unix_time=lambda: 0.0, **options)
        self.batches: list[list[str]] = []
        self._gates: list[Deferred[None]] = []

    @property
    def is_asked(self) -> bool:
        """Whether an `append` waits for its answer."""
        return bool(self._gates)

    async def append(self, entries: Sequence[Entry]) -> list[Outcome]:
        """Append on the test's command."""
        self.batches.append([entry.header.id for entry in entries])
        gate: Deferred[None] = Deferred()
        self._gates.append(gate)
        await gate
        return await super().append(entries)

    async def read(self, stream: str, **place: Any) -> Page:
        """Read, after all earlier appends."""
        if self._gates:
            passed: Deferred[None] = Deferred()
            self._gates[-1].addCallback(passed.callback)
            await passed
        return await super().read(stream, **place)

    # For the test

    def answer(self) -> None:
        """Do the oldest `append`."""
        self._gates.pop(0).callback(None)

    def fail(self, error: Exception | None = None) -> None:
        """Make the oldest `append` fail."""
        self._gates.pop(0).errback(error or StoreError("the disk is full"))


class MemoryNetwork:
    """A server at port 9999 of an in-memory reactor, for clients that connect by themselves.

    Attributes:
        reactor: The reactor, which is also a clock.
        factory: The server's factory.
    """

    def __init__(self, **options) -> None:
        self.reactor = MemoryReactorClock()
        self.factory = ChatFactory(self.reactor, unix_time=self.reactor.seconds, **options)
        self.reactor.listenTCP(9999, self.factory)
        self._completer = ConnectionCompleter(self.reactor)
        self._pumps: list[IOPump] = []

    @property
    def attempts(self) -> int:
        """Number of attempts to connect that wait for an answer."""
        return len(self.reactor.tcpClients)

    def accept(self) -> None:
        """Let the oldest attempt to connect succeed, and pump."""
        pump = self._completer.succeedOnce(greet=False)
        assert pump is not None, "nobody tries to connect"
        self._pumps.append(pump)
        self.pump()

    def accept_in_silence(self) -> None:
        """Let the oldest attempt succeed, with a server that sends nothing."""
        factory: Any = self.factory
        build, factory.buildProtocol = factory.buildProtocol, lambda _: Protocol()
        self.accept()
        factory.buildProtocol = build

    def refuse(self) -> None:
        """Let the oldest attempt to connect fail."""
        self._completer.failOnce()

    def pump(self) -> None:
        """Move all bytes, and the answers to them, until none move."""
        while any(pump.pump() for pump in self._pumps):
            pass

    def advance(self, seconds: float) -> None:
        """Advance the time, and pump."""
        self.reactor.advance(seconds)
        self.pump()
