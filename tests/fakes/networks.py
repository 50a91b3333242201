"""Shared parts of the tests of resuming: a network with breaking connections, and its clients."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint, IUNIXTransport
from twisted.internet.task import Clock
from twisted.test.iosim import FakeTransport, IOPump, connect
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from chatd.client.client import ChatClient
from chatd.client.factory import ChatClientFactory
from chatd.client.results import Joined
from chatd.client.service import ChatClientService
from chatd.connection.states import State
from chatd.errors import RequestError
from chatd.server.factory import ChatFactory
from chatd.server.protocol import ServerProtocol
from chatd.wire.messages import Message, MessageType
from tests.fakes.peers import MemoryNetwork, Peer, SocketTransport, hand_client, settle

ENDPOINT = "tcp:localhost:9999"
RETRY_S = 2.0


class BrokenNetwork(MemoryNetwork):
    """A network whose connections break, and whose server is replaced."""

    def lose(self) -> None:
        """Break all connections, and report it to both sides."""
        for pump in self._pumps:
            pump.clientIO.loseConnection()
        self.pump()
        self._pumps = []

    def deliver_and_lose(self) -> None:
        """Deliver the last client's frames, and break its connection before the answer."""
        self._drop_answers()
        self.lose()

    def accept_welcome(self) -> None:
        """Let the oldest attempt succeed and welcome the client; deliver nothing else."""
        pump_all, self.pump = self.pump, lambda: None
        self.accept()
        self.pump = pump_all
        for _ in range(4):  # greeting, answer, welcome, and the commands that follow it
            self._pumps[-1].pump()

    def restart(self, **options: Any) -> None:
        """Replace the server with another, which has lost all its state."""
        self.lose()
        self.factory = ChatFactory(self.reactor, unix_time=self.reactor.seconds, **options)
        self.reactor.tcpServers.clear()
        self.reactor.listenTCP(9999, self.factory)

    def _drop_answers(self) -> None:
        pump = self._pumps[-1]
        self.reactor.advance(0)
        pump.serverIO.bufferReceived(pump.clientIO.getOutBuffer() or b"")
        self.reactor.advance(0)
        pump.serverIO.getOutBuffer()


class Listener(ChatClient):
    """A client that records its events in its factory."""

    factory: ListeningFactory

    def message_received(self, message: Message, is_receipt: bool) -> None:
        self.factory.heard.append((message.sender, message.text))
        if not is_receipt:
            super().message_received(message, is_receipt)

    def room_joined(self, joined: Joined) -> None:
        self.factory.joined.append((joined.room, joined.recovered))

    def error_received(self, error: RequestError) -> None:
        self.factory.errors.append(error.code)
        self.factory.on_error(self)


class ListeningFactory(ChatClientFactory):
    """Builds clients that record their events.

    Attributes:
        heard: The sender and text of each message, receipts included.
        joined: The joined rooms, and for each whether no message was missed.
        errors: The codes of the errors that no call waited for.
        on_error: Called by a client that gets such an error.
    """

    on_error: Callable[[ChatClient], object] = staticmethod(lambda client: None)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, protocol=Listener, **options)
        self.heard: list[tuple[str | None, str]] = []
        self.joined: list[tuple[str, bool]] = []
        self.errors: list[str] = []


class LastingTests(SynchronousTestCase):
    """Alice's client, which reconnects, and bob, who stays connected."""

    rooms: tuple[str, ...] | None = None

    def setUp(self) -> None:
        self.network = BrokenNetwork()
        self.reactor = self.network.reactor
        self.clients = self.make_clients(name="alice", rooms=self.rooms)
        self.service = self.make_service(ENDPOINT)
        self.peers: list[Peer] = []

    def make_clients(self, **options: Any) -> ListeningFactory:
        return ListeningFactory(self.reactor, **options)

    def make_service(self, endpoint: str | IStreamClientEndpoint) -> ChatClientService:
        """Return a service that the test's cleanup stops."""
        service = ChatClientService(self.reactor, endpoint, self.clients, lambda _: RETRY_S)

        def stop() -> None:
            stopping = service.stopService()
            self.network.pump()
            for peer in (*self.peers, *getattr(endpoint, "peers", ())):
                peer.transport.lose()
            self.successResultOf(stopping)
            self.reactor.advance(0)
            self.network.factory.engine.finish()
            self.assertEqual(self.reactor.getDelayedCalls(), [])

        self.addCleanup(stop)
        return service

    @property
    def server(self) -> ChatFactory:
        """The current server."""
        return self.network.factory

    def start(self) -> ChatClient:
        """Connect for the first time."""
        self.service.startService()
        return self.accept()

    def accept(self) -> ChatClient:
        """Let the attempt to connect succeed; return the client with the active session."""
        self.network.accept()
        client = self.successResultOf(self.service.whenConnected())
        self.assertEqual(client.connection.state, State.ESTABLISHED)
        return client

    def lose(self) -> None:
        """Lose the connection of the service; other connections stay."""
        self.network.lose()
        self.assertNotIn("alice", self.names())

    def come_back(self) -> ChatClient:
        """Connect again."""
        self.network.advance(RETRY_S)
        return self.accept()

    @contextmanager
    def deaf_server(self) -> Iterator[None]:
        """Make new connections answer no command."""
        server: Any = self.server
        build = server.buildProtocol

        def build_deaf(address: object) -> ServerProtocol | None:
            protocol = build(address)
            act = protocol.act_on
            protocol.act_on = lambda event: (
                None if getattr(event, "type", 0) == MessageType.COMMAND else act(event)
            )
            return protocol

        server.buildProtocol = build_deaf
        yield
        server.buildProtocol = build

    def names(self) -> list[str]:
        """Return the names of the connected clients."""
        return [session.name for session in self.server.sessions.values()]

    def hand(self, name: str = "bob", *rooms: str) -> Peer:
        """Connect a hand-driven client, and let it join rooms beside the lobby."""
        peer = hand_client(self.server, name)
        self.peers.append(peer)
        for room in rooms:
            header = {"id": room, "command": "join", "room": room}
            peer.send(Message(MessageType.COMMAND, header))
        settle(self.server)
        return peer

    def say(self, peer: Peer, *texts: str, room: str | None = None, to: str | None = None) -> None:
        """Send messages from a hand-driven client, each in its own turn."""
        for text in texts:
            peer.send(Message.chat(text, room=room, to=to))
            settle(self.server)
        self.network.pump()

    def heard(self, *, sender: str | None = None) -> list[str]:
        """Return the messages that the program received since the last call."""
        heard, self.clients.heard = self.clients.heard, []
        return [text for by, text in heard if sender in (None, by)]

    def taken(self) -> list[str]:
        """Return the items of the service's iterator, until it would wait."""
        texts = []
        while (taking := Deferred.fromCoroutine(self.service.__anext__())).called:
            texts.append(self.successResultOf(taking).text)
        taking.addErrback(lambda _: None).cancel()
        return texts


@implementer(IUNIXTransport)
class UnixTransport(SocketTransport):  # type: ignore[misc]  # it has the methods that are called
    """A transport of a UNIX socket whose peer's user the system knows.

    Attributes:
        uid: The user's id.
    """

    uid = 0

    def getPeer(self) -> UNIXAddress:
        return UNIXAddress(None)

    def getHandle(self) -> UnixTransport:
        return self

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        return struct.pack("iII", 1, self.uid, 1)


def link(server: ServerProtocol, client: ChatClient, clock: Clock) -> IOPump:
    """Connect two sides over TCP, and pump until no bytes move."""
    address = IPv4Address("TCP", "192.0.2.1", 40_000)
    ends = [
        FakeTransport(protocol, is_server, peerAddress=address)
        for protocol, is_server in ((server, True), (client, False))
    ]
    pump = connect(server, ends[0], client, ends[1], clock=clock)
    pump.flush()
    return pump
