"""Shared parts of the session's tests: connections without a socket, and a free peer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, ClassVar

from hypothesis import strategies as st

from chatd.connection.client import ClientConnection
from chatd.connection.connection import Connection
from chatd.connection.events import (
    AdmissionAsked,
    Event,
    Faulted,
    PingReceived,
    RequestFaulted,
    Run,
    Welcomed,
)
from chatd.connection.server import ServerConnection
from chatd.connection.states import TRANSITIONS, State
from chatd.wire.channel import Channel, ClearChannel, SecureChannel
from chatd.wire.codec import Codec
from chatd.wire.keys import noise_psk
from chatd.wire.messages import (
    Disconnect,
    Error,
    Heartbeat,
    Message,
    MessageType,
    SessionAck,
    SessionInit,
)
from tests.mixins import CaseMixin
from tests.wire.hostile import NO_FRAME
from tests.wire.samples import CLIENT_EPHEMERAL, SERVER_EPHEMERAL, in_pieces

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
SESSION_ID = "0b4e9f6c-7d0e-4c57-9a41-3c2f3d1a5b60"
MAX_CONTENT = 100_000
GREETING = SessionInit(
    session_id=SESSION_ID, server="chatd/test", heartbeat=5.0, max_content=MAX_CONTENT
)

INIT = Message(MessageType.SESSION_INIT, GREETING)
ACK_HEADER = SessionAck(session_id=SESSION_ID, name="alice")
ACK = Message(MessageType.SESSION_ACK, ACK_HEADER)
ROOMS = [{"room": "lobby", "epoch": "e1", "seq": 7}, {"room": "Cellar", "epoch": "e2", "seq": 0}]
WELCOME = Message(
    MessageType.EVENT,
    {
        "event": "welcome",
        "session_id": SESSION_ID,
        "name": "alice",
        "room": "lobby",
        "rooms": ROOMS,
    },
)
WELCOMED = Welcomed("alice", "lobby", ROOMS)
HELLO = Message.chat("hello", id="m1")
LARGE = Message.chat(bytes(9_000), id="m2")  # too long for a frame before establishment
GOODBYE = Message(MessageType.DISCONNECT, Disconnect(reason="bye"))
RARELY = st.sampled_from((True, *[False] * 7)[::-1])
"""Whether to allow the steps that end most sessions, so that other steps have their chance."""


def ping(n: int) -> Message:
    """Return a ping."""
    return Message(MessageType.HEARTBEAT, Heartbeat(n), b"ping")


def pong(n: int) -> Message:
    """Return a pong."""
    return Message(MessageType.HEARTBEAT, Heartbeat(n), b"pong")


def error(code: str, ref: str | None = None) -> Message:
    """Return an ERROR."""
    return Message(MessageType.ERROR, Error(code=code, message="it is so", ref=ref))


def codes_of(messages: list[Message]) -> list[tuple[MessageType, str]]:
    """Return the types and codes of frames that must be ERROR or DISCONNECT."""
    return [(MessageType(message.type), message.header.code) for message in messages]


@cache
def reachable(state: State) -> set[State]:
    """Return the states that follow from a state, and that state."""
    found = {state}
    for _ in State:
        found |= {after for (before, _), after in TRANSITIONS.items() if before in found}
    return found


def channel_of(key: bytes | None, *, is_server: bool) -> Channel:
    """Return the channel of one side, with a fixed ephemeral key, so that runs are equal."""
    if key is None:
        return ClearChannel(expects_server=not is_server)
    ephemeral = SERVER_EPHEMERAL if is_server else CLIENT_EPHEMERAL
    return SecureChannel(noise_psk(key), initiator=is_server, ephemeral=ephemeral)


def make_server(key: bytes | None = None, *, now: float = 0.0) -> ServerConnection:
    """Return a server's side."""
    codec = Codec(key, max_content=GREETING.max_content)
    return ServerConnection(codec, channel_of(key, is_server=True), GREETING, now)


def make_client(
    key: bytes | None = None,
    *,
    now: float = 0.0,
    name: str | None = "alice",
    password: str | None = None,
    rooms: list[str] | None = None,
) -> ClientConnection:
    """Return a client's side."""
    channel = channel_of(key, is_server=False)
    return ClientConnection(Codec(key), channel, now, name=name, password=password, rooms=rooms)


def answered(connection: Connection) -> Iterator[Event]:
    """Answer the pings and faulty requests that have arrived, and return the other events.

    The messages of runs are returned one by one.
    """
    for event in connection.events():
        if isinstance(event, PingReceived | RequestFaulted):
            connection.answer(event)
        elif isinstance(event, Run):
            yield from event.messages
        else:
            yield event


class Peer:
    """The far end of a connection, without rules of its own: the test decides what it sends.

    Attributes:
        connection: The side under test.
        codec: The codec of the shared key.
        channel: The channel of the far end.
    """

    def __init__(self, connection: Connection, key: bytes | None = None) -> None:
        self.connection: Any = connection  # a server's or a client's
        self.codec = Codec(key)
        self.channel = channel_of(key, is_server=isinstance(connection, ClientConnection))
        self._reader = self.codec.reader()

    @property
    def state(self) -> State:
        """The state of the connection under test."""
        return self.connection.state

    def feed(self, data: bytes, piece_bytes: int | None = None) -> list[Event]:
        """Feed bytes to the connection, at once or in pieces, and return its events."""
        events: list[Event] = []
        for piece in in_pieces(data, piece_bytes):
            self.connection.receive_data(piece)
            events += answered(self.connection)
        return events

    def encode(self, *messages: Message) -> bytes:
        """Return the frames of messages."""
        return b"".join(map(self.codec.encode, messages))

    def seal(self, frames: bytes) -> bytes:
        """Return the bytes that carry frames; call it once for each place in the stream."""
        return self.channel.handshake_to_send() + self.channel.seal(frames)

    def say(self, *messages: Message) -> list[Event]:
        """Feed messages in one piece, and return the connection's events."""
        return self.say_frames(self.encode(*messages))

    def say_frames(self, frames: bytes) -> list[Event]:
        """Feed frames or other bytes in one piece, and return the connection's events."""
        return self.feed(self.seal(frames))

    def say_fault(self, *messages: Message) -> list[Event]:
        """Send messages and a faulty frame, and return the events up to the fault."""
        self.connection.receive_data(self.seal(self.encode(*messages) + NO_FRAME))
        events: list[Event] = []
        for event in answered(self.connection):
            events.append(event)
            if isinstance(event, Faulted):
                break
        return events

    def hear(self) -> list[Message]:
        """Return the messages that the connection has sent since the last call."""
        self.channel.receive_data(self.connection.data_to_send())
        heard: list[Message] = []
        while plaintext := self.channel.next_plaintext():
            self._reader.receive_data(plaintext)
            heard += self.codec.decode_stream(self._reader)
        return heard

    def open_channel(self) -> None:
        """Do the secure channel's handshake, if there is a channel."""
        if isinstance(self.channel, SecureChannel):
            self.feed(self.channel.handshake_to_send())
            self.hear()
            self.feed(self.channel.handshake_to_send())

    def greet(self) -> None:
        """Do the peer's part of the greeting."""
        if isinstance(self.connection, ServerConnection):
            self.hear()
            self.say(ACK)
        else:
            self.say(INIT)
            self.hear()

    def establish(self) -> None:
        """Complete the handshake."""
        if isinstance(self.connection, ServerConnection):
            self.connection.admit("alice", ROOMS)
            self.hear()
        else:
            self.say(WELCOME)


def bring_to(state: State, connection: Connection, key: bytes | None = None) -> Peer:
    """Bring a new connection to a state by the shortest path, and return its peer."""
    peer = Peer(connection, key)
    if state is State.CONNECTING:
        return peer
    peer.open_channel()
    if state is State.GREETING:
        return peer
    peer.greet()
    if state is State.ADMISSION:
        return peer
    peer.establish()
    if state is State.FAULTED:
        peer.say_fault()
    elif state is State.DRAINING:
        peer.say(GOODBYE)
    elif state is State.CLOSING:
        connection.end("goodbye", "bye")
    elif state is State.CLOSED:
        connection.connection_lost()
    return peer


class SideCases(CaseMixin):
    """The tests that both sides share; a subclass gives the side and the key."""

    make: ClassVar[Callable[..., Connection]]
    key: ClassVar[bytes | None] = None

    def at(self, state: State) -> Peer:
        """Return the peer of a new connection in a given state."""
        return bring_to(state, self.make(self.key), self.key)


class Pair:
    """Both sides of a session, connected in memory; bytes move only in `pump`.

    Attributes:
        server_events: The events of the server.
        client_events: The events of the client.
    """

    def __init__(self, server: ServerConnection, client: ClientConnection) -> None:
        self.server = server
        self.client = client
        self.server_events: list[Event] = []
        self.client_events: list[Event] = []

    def pump(self, piece_bytes: int | None = None) -> None:
        """Move the output of both sides until both are silent."""
        while True:
            to_client, to_server = self.server.data_to_send(), self.client.data_to_send()
            if not to_client and not to_server:
                return
            for piece in in_pieces(to_client, piece_bytes):
                self.client.receive_data(piece)
                self.client_events += answered(self.client)
            for piece in in_pieces(to_server, piece_bytes):
                self.server.receive_data(piece)
                self._serve()

    def _serve(self) -> None:
        for event in answered(self.server):
            self.server_events.append(event)
            if isinstance(event, AdmissionAsked):
                self.server.admit(event.ack.name or "guest", ROOMS)
