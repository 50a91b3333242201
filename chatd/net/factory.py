"""`ChatFactory`: a chat server, and what other message services are made of by subclassing."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar
from uuid import uuid4

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory

from chatd._version import __version__
from chatd.chat.names import Names, fold
from chatd.chat.rooms import LOBBY, Room
from chatd.errors import (
    ConfigurationError,
    ErrorCode,
    LocalProtocolError,
    RequestError,
    SessionEnded,
)
from chatd.net.arrivals import Arrivals
from chatd.net.heartbeat import HeartbeatWheel
from chatd.net.server import ServerProtocol
from chatd.net.session import Session
from chatd.net.turn import Turn
from chatd.session.server import ServerConnection
from chatd.wire.channel import Channel, ClearChannel, SecureChannel
from chatd.wire.codec import Codec
from chatd.wire.envelope import MAX_CONTENT
from chatd.wire.keys import noise_psk
from chatd.wire.messages import (
    DEFAULT_CONTENT_TYPE,
    MAX_HEARTBEAT_S,
    MAX_PLACE,
    MIN_HEARTBEAT_S,
    ChatHeader,
    Message,
    MessageType,
    SessionInit,
    as_content,
)

__all__ = ["HEARTBEAT_S", "ChatFactory"]

HEARTBEAT_S = 5.0
"""Seconds between two pings, unless the operator sets another interval."""


class ChatFactory(Factory):
    """A chat server: it builds the protocol for each connection, and holds the sessions.

    Override `message_received` to build another message service on the same sessions.

    Args:
        clock: What tells the time and calls later: the reactor, or a test's clock.
        key: The shared key, 32 bytes: turns on signatures that prove origin, and encryption.
            None for none.
        heartbeat_s: Seconds between two pings; three silent intervals end a session.
        max_content: Longest content of a message, in bytes.
        name: The name under which the server itself speaks.
        unix_time: What tells the time that messages bear, in Unix seconds.

    Attributes:
        sessions: The established sessions, by their ids.
        rooms: The rooms, by their folded names.

    Raises:
        ConfigurationError: The key is not of 32 bytes, or a number is out of its range.
    """

    session_class: ClassVar[type[Session]] = Session
    """What is made for each client; a subclass of `Session`."""

    noisy = False  # Twisted's own log lines at start and stop

    def __init__(
        self,
        clock: IReactorTime,
        *,
        key: bytes | None = None,
        heartbeat_s: float = HEARTBEAT_S,
        max_content: int = MAX_CONTENT,
        name: str = "server",
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        if not MIN_HEARTBEAT_S <= heartbeat_s <= MAX_HEARTBEAT_S:
            raise ConfigurationError(
                f"the heartbeat is {MIN_HEARTBEAT_S} to {MAX_HEARTBEAT_S:g} seconds, "
                f"not {heartbeat_s}"
            )
        self.clock = clock
        self.codec = Codec(key, max_content=max_content)
        self.turn = Turn(clock)
        self.names = Names()
        self.sessions: dict[str, Session] = {}
        self.rooms: dict[str, Room[Session]] = {fold(LOBBY): Room(LOBBY)}
        self._psk = None if key is None else noise_psk(key)
        self._heartbeat_s = heartbeat_s
        self._wheel = HeartbeatWheel(clock, heartbeat_s)
        self._name = self.names.claim(name, guest="")
        self._unix_time = unix_time
        self._protocols: dict[ServerProtocol, None] = {}
        self.arrivals = Arrivals()
        self._is_stopping = False
        self._stop_waiters: list[Deferred[None]] = []

    @property
    def has_key(self) -> bool:
        """Whether sessions are encrypted."""
        return self._psk is not None

    # Yours to override

    def message_received(
        self, session: Session, message: Message
    ) -> Awaitable[None] | Deferred[None] | None:
        """Act on a MESSAGE; what is not overridden delivers it to everyone in its room.

        Publish it, reply to it or raise `RequestError`: the client's `send` waits for one of them.

        May be `async`: a session's next message is read when this one is done, so that they are
        handled in order, and a client can't pile up more work than one message.

        Args:
            session: Whose message it is.
            message: The message, as it was sent.

        Raises:
            RequestError: To be told to the client as an ERROR for this message; the session goes
                on. Any other exception is logged, and told as `internal-error`.
        """
        self.publish(session, message)
        return None

    def command_received(
        self, session: Session, command: Message
    ) -> Awaitable[None] | Deferred[None] | None:
        """Act on a COMMAND, whose header is a dictionary; may be `async` like `message_received`.

        Raises:
            RequestError: `unknown-command`, unless overridden.
        """
        header: Any = command.header
        raise RequestError(ErrorCode.UNKNOWN_COMMAND, f"there is no command {header['command']}")

    # Yours to call

    def publish(self, session: Session, message: Message) -> None:
        """Deliver a session's message to everyone in its room, the sender's receipt included.

        It is encoded and signed once, and every member is sent the same bytes. A message that the
        same sender sent before under the same id is answered with its first receipt instead.

        Raises:
            RequestError: `not-in-room`: the message is for a room that the session is not in;
                `bad-request`: it is for a name; `id-reused`: see `chatd.chat.rooms.Room.accept`.
        """
        header = message.header
        assert isinstance(header, ChatHeader)
        if header.to is not None:
            raise RequestError(ErrorCode.BAD_REQUEST, "messages are to a room here, not to a name")
        room = self._room(LOBBY if header.room is None else header.room)
        if room is None or session.id not in room.members:
            raise RequestError(ErrorCode.NOT_IN_ROOM, "you are not in that room")
        accepted, is_new = room.accept(message, session.name, self._unix_time())
        frame = self.codec.encode(accepted)
        if is_new:
            self.turn.broadcast(room, frame)
        else:
            self.turn.settle()
            session.deliver(frame)

    def send_to_room(
        self,
        room: str,
        content: str | bytes,
        *,
        id: str | None = None,
        content_type: str | None = None,
    ) -> Message:
        """Say something to everyone in a room, as the server.

        Args:
            room: The room's name.
            content: Text, sent as UTF-8, or bytes.
            id: Up to 64 characters; a new UUID where there is none.
            content_type: What the content is; plain text in UTF-8 where there is none.

        Returns:
            The message as it is delivered.

        Raises:
            LocalProtocolError: There is no such room, or the content is over the limit.
            RequestError: `id-reused`: the same id was given to another content.
        """
        there = self._room(room)
        if there is None:
            raise LocalProtocolError(f"there is no room {room}")
        message = Message.chat(content, id=id, content_type=content_type)
        self.codec.encode(message)  # what cannot be sent must not take a place in the order
        accepted, is_new = there.accept(message, self._name, self._unix_time())
        if is_new:
            self.turn.broadcast(there, self.codec.encode(accepted))
        return accepted

    def when_active(self, name: str) -> Deferred[Session]:
        """Wait for a client.

        Args:
            name: Its name.

        Returns:
            A Deferred that fires with its session as soon as that is active and its `established`
            is done. It fails with `SessionEnded` where the server shuts down first.
        """
        for session in self.sessions.values():
            if fold(session.name) == fold(name):
                return succeed(session)
        return self.arrivals.wait(name)

    def shut_down(self) -> Deferred[None]:
        """Tell every client that the server is going, and take no new ones.

        Returns:
            A Deferred that fires with None when all connections are closed, at the latest when
            those that do not read have been cut off.
        """
        self._is_stopping = True
        end = SessionEnded(ErrorCode.SHUTTING_DOWN, "the server is shutting down", retry=True)
        for protocol in list(self._protocols):
            protocol.end_session(end.code, end.reason, retry=end.retry)
        self.arrivals.close(end)
        self.turn.flush()
        waiter: Deferred[None] = Deferred()
        self._stop_waiters.append(waiter)
        self._check_stopped()
        return waiter

    # For the protocols and the sessions

    def startFactory(self) -> None:
        """Take clients, also after a `shut_down`; Twisted calls it before listening begins."""
        self._is_stopping = False

    def buildProtocol(  # type: ignore[override]
        self, addr: IAddress | None
    ) -> ServerProtocol | None:
        """Build the protocol of a new connection, unless the server is shutting down."""
        if self._is_stopping:
            return None
        init = SessionInit(
            session_id=str(uuid4()),
            server=f"chatd/{__version__}",
            heartbeat=self._heartbeat_s,
            max_content=self.codec.max_content,
        )
        channel: Channel = (
            ClearChannel() if self._psk is None else SecureChannel(self._psk, initiator=True)
        )
        connection = ServerConnection(self.codec, channel, init, self.clock.seconds())
        return ServerProtocol(self, connection)

    def connected(self, protocol: ServerProtocol) -> None:
        """Count a connection in."""
        self._protocols[protocol] = None

    def disconnected(self, protocol: ServerProtocol) -> None:
        """Count a connection out."""
        self._protocols.pop(protocol, None)
        self._check_stopped()

    def add(self, session: Session) -> None:
        """Take an established session into the chat: into the lobby, and onto the heartbeats."""
        self.sessions[session.id] = session
        self._wheel.add(session.protocol)
        lobby = self.rooms[fold(LOBBY)]
        self._tell_presence(lobby, lobby.join, session)

    def remove(self, session: Session) -> None:
        """Take a session out of the chat."""
        del self.sessions[session.id]
        self._wheel.discard(session.protocol)
        self.names.release(session.name)
        for room in self.rooms.values():
            if session.id in room.members:
                self._tell_presence(room, room.leave, session)

    def compose(self, content: str | bytes, id: str | None, content_type: str | None) -> bytes:
        """Make the frame of a message from the server to one session."""
        header = ChatHeader(
            id=uuid4().hex if id is None else id,
            sender=self._name,
            time=self._unix_time(),
            content_type=content_type or DEFAULT_CONTENT_TYPE,
        )
        return self.codec.encode_parts(MessageType.MESSAGE, header, as_content(content))

    def _room(self, name: str) -> Room[Session] | None:
        return self.rooms.get(fold(name)) if len(name) <= MAX_PLACE else None

    def _tell_presence(
        self, room: Room[Session], change: Callable[[Session], Message], session: Session
    ) -> None:
        """Change a room's members, and tell those who are in it before and after."""
        self.turn.settle()
        if self._is_stopping:  # everyone goes: to tell each of all the others is quadratic
            change(session)
            return
        others = [member for member in room.members.values() if member is not session]
        event = self.codec.encode(change(session))
        for member in others:
            member.deliver(event)

    def _check_stopped(self) -> None:
        if self._is_stopping and not self._protocols:
            waiters, self._stop_waiters = self._stop_waiters, []
            for waiter in waiters:
                waiter.callback(None)
