"""`ChatFactory`: a chat server, and what other message services are made of by subclassing."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar
from uuid import uuid4

from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd._version import __version__
from chatd.chat.commands import Commands
from chatd.chat.hub import Hub
from chatd.chat.interfaces import Member
from chatd.chat.moderation import Ban, Bans, Operators
from chatd.chat.names import fold
from chatd.chat.policy import Policy
from chatd.chat.rooms import Room
from chatd.chat.roster import Roster
from chatd.connection.limits import HandshakeLimits
from chatd.connection.server import ServerConnection
from chatd.errors import (
    ConfigurationError,
    ErrorCode,
    RequestError,
    SessionEnded,
    StoreError,
)
from chatd.server.accounts import Accounts
from chatd.server.admission import Admission
from chatd.server.budget import CommandBudget
from chatd.server.connections import Connections
from chatd.server.delivery import TurnDelivery
from chatd.server.keyring import Keyring
from chatd.server.limits import Limits
from chatd.server.protocol import ServerProtocol
from chatd.server.session import Session
from chatd.server.shutdown import Shutdown
from chatd.server.waiters import SessionWaiters
from chatd.storage.interface import IMessageStore, Outcome
from chatd.storage.memory import MemoryStore
from chatd.transport.flush import Turn
from chatd.transport.heartbeat import HeartbeatWheel
from chatd.transport.hooks import start
from chatd.transport.identity import identify
from chatd.wire.envelope import MAX_CONTENT
from chatd.wire.messages import (
    DEFAULT_CONTENT_TYPE,
    MAX_HEARTBEAT_S,
    MIN_HEARTBEAT_S,
    ChatHeader,
    Message,
    MessageType,
    SessionInit,
    as_content,
)

__all__ = ["GRACE_S", "HEARTBEAT_S", "ChatFactory"]

HEARTBEAT_S = 5.0
"""Seconds between two pings, unless the operator sets another interval."""
GRACE_S = 10.0
"""How long saying goodbye to everyone may take, unless the operator sets another time."""


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
        store: Where what is said is kept; in memory where there is none.
        accounts: Who has an account; None where nobody needs one.
        bans: Who is banned; nobody where there is none.
        policy: What else the operator decided of the chat.
        limits: What peers may take of the server.

    Attributes:
        limits: What peers may take of the server.
        sessions: The established sessions, by their ids.
        hub: The chat: its rooms, and who is here.
        store: Where what is said is kept; `ChatService` opens and closes it.
        bans: Who is banned.
        operators: Who may kick and ban.

    Raises:
        ConfigurationError: The key is not of 32 bytes, or a number is out of its range.
    """

    session_class: ClassVar[type[Session]] = Session
    """What is made for each client; a subclass of `Session`."""

    log = Logger()
    noisy = False  # Twisted's own log lines at start and stop

    def __init__(  # noqa: PLR0913  (each is one decision of an operator's, and has its default)
        self,
        clock: IReactorTime,
        *,
        key: bytes | None = None,
        heartbeat_s: float = HEARTBEAT_S,
        max_content: int = MAX_CONTENT,
        name: str = "server",
        unix_time: Callable[[], float] = time.time,
        store: IMessageStore | None = None,
        accounts: Accounts | None = None,
        bans: Bans | None = None,
        policy: Policy = Policy(),  # noqa: B008  (frozen)
        limits: Limits = Limits(),  # noqa: B008  (frozen)
    ) -> None:
        if not MIN_HEARTBEAT_S <= heartbeat_s <= MAX_HEARTBEAT_S:
            raise ConfigurationError(
                f"the heartbeat is {MIN_HEARTBEAT_S} to {MAX_HEARTBEAT_S:g} seconds, "
                f"not {heartbeat_s}"
            )
        self.clock = clock
        self.limits = limits
        self.connections: Connections[ServerProtocol] = Connections(limits)
        self._keyring = Keyring(key, max_content)
        self.codec = self._keyring.codec
        self.turn = Turn(clock, self._store_what_was_said)
        self.command_budget = CommandBudget(clock)
        self.store = MemoryStore(unix_time=unix_time) if store is None else store
        delivery = TurnDelivery(self.turn)
        roster: Roster[Session] = Roster(
            self.store,
            delivery,
            self._start,
            presence_limit=policy.presence_limit,
            max_rooms=policy.max_rooms,
            has_accounts=accounts is not None,
        )
        self.hub = Hub(
            roster, self.store, delivery, self._start, self._note_failure, unix_time=unix_time
        )
        self.bans = (
            Bans(save=_keep_nothing, lock=DeferredLock(), unix_time=unix_time)
            if bans is None
            else bans
        )
        self.operators = Operators(policy.operators, needs_account=accounts is not None)
        self.commands = Commands(
            roster,
            self.bans,
            self.operators,
            self._note,
            self.note_store_failure,
            unix_time,
        )
        self._unproven_operators = policy.operators if accounts is None else ()
        self.admission = Admission(self, self.bans, accounts, policy.rooms)
        self.waiters = SessionWaiters()
        self.sessions: dict[str, Session] = {}
        self._heartbeat_s = heartbeat_s
        self._wheel = HeartbeatWheel(clock, heartbeat_s)
        self._speaker = Member("", self.hub.roster.names.reserve(name))
        self._shutdown = Shutdown(
            clock, self.connections, self.hub.commits.call_when_stored, self.turn.flush
        )

    @property
    def has_key(self) -> bool:
        """Whether sessions are encrypted."""
        return self._keyring.has_key

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

        What is not overridden does the commands of `chatd.chat.commands`; for commands of your own,
        answer with `Session.send_result`, and leave the others to this method.

        Raises:
            RequestError: `unknown-command`, or another reason why it is not done.
        """
        assert isinstance(command.header, dict)
        return self.commands.run(session, command.header)

    # Yours to call

    def publish(self, session: Session, message: Message) -> None:
        """Deliver a session's message to everyone in its room, the sender's receipt included.

        A message to a name is delivered to all sessions of both ends instead. It is stored first,
        then encoded and signed once, and everyone is sent the same bytes. A message that the same
        sender sent before under the same id is answered with its first receipt. Where it cannot be
        stored, or the id was given to another message, the sender is told so (`not-stored`,
        `id-reused`).

        Raises:
            RequestError: `not-in-room`: the message is for a room that the session is not in;
                `bad-name`; `bad-request`: it is for a room and a name.
            LocalProtocolError: The content is over the limit.
        """
        self.codec.check_content(message.content)
        self.hub.say(session, message)
        self.turn.schedule()

    def send_to_room(
        self,
        room: str,
        content: str | bytes,
        *,
        id: str | None = None,
        content_type: str | None = None,
    ) -> Deferred[Message]:
        """Say something to everyone in a room, as the server.

        Args:
            room: The room's name; nobody need be in it.
            content: Text, sent as UTF-8, or bytes.
            id: Up to 64 characters; a new UUID where there is none.
            content_type: What the content is; plain text in UTF-8 where there is none.

        Returns:
            A Deferred that fires with the message as it is delivered, when it is stored. It fails
            with `RequestError`: `bad-room`, `not-stored`, or `id-reused`, where the same id was
            given to another content; if nobody takes that, it is logged.

        Raises:
            LocalProtocolError: The content is over the limit, or another part cannot be sent.
        """
        message = Message.chat(content, id=id, content_type=content_type)
        self.codec.encode(message)  # what cannot be sent must not take a place in the order
        return Deferred.fromCoroutine(self._say_to_room(room, message))

    async def _say_to_room(self, name: str, message: Message) -> Message:
        try:
            room = await self.hub.roster.open(name)
        except StoreError as error:
            raise RequestError(ErrorCode.NOT_STORED, "the store does not work now") from error
        told: Deferred[Outcome] = Deferred()
        self.hub.say_as(self._speaker, room, message, told.callback)
        self.hub.roster.close(room)
        self.turn.schedule()
        outcome = await told
        if isinstance(outcome, RequestError):
            raise outcome
        return outcome.message

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
        return self.waiters.wait(name)

    def use_key(self, key: bytes) -> None:
        """Take another key for the connections that come from now on; those there are go on.

        Args:
            key: The key, 32 bytes.

        Raises:
            ConfigurationError: The key is not of 32 bytes, or the server has none that it could
                replace: its clients expect another greeting.
        """
        if not self.has_key:
            raise ConfigurationError("a server that was started without a key takes none")
        self._keyring.replace(key)
        self.codec = self._keyring.codec

    def shut_down(self, grace_s: float = GRACE_S) -> Deferred[None]:
        """Tell every client that the server is going, and take no new ones.

        Each is told when what it said has its answer, or when half of the time is over.

        Args:
            grace_s: How long it may take, in seconds; then the connections that are left are cut
                off, and answers that are owed are not waited for.

        Returns:
            A Deferred that fires with None when all connections are closed, and what was said is
            stored.
        """
        end = SessionEnded(ErrorCode.SHUTTING_DOWN, "the server is shutting down", retry=True)
        self.waiters.close(end)
        return self._shutdown.begin(end, grace_s)

    def cut_off(self) -> None:
        """Wait for nobody any more, where the server is shutting down."""
        self._shutdown.cut_short()

    # For the protocols and the sessions

    def startFactory(self) -> None:
        """Take clients, also after a `shut_down`; Twisted calls it before listening begins."""
        self._shutdown.take_back()
        if self._unproven_operators:
            self.log.warn(
                "there are no accounts: whoever takes the name {names} may kick and ban; give "
                "--auth or --password-file",
                names=" or ".join(self._unproven_operators),
            )

    def buildProtocol(  # type: ignore[override]
        self, addr: IAddress | None
    ) -> ServerProtocol | None:
        """Build the protocol of a new connection, unless the server is shutting down."""
        if self._shutdown.is_under_way:
            return None
        return ServerProtocol(self)

    def connected(self, protocol: ServerProtocol) -> ServerConnection:
        """Count a connection in, and make this side of its session."""
        identity = identify(protocol.transport)
        init = SessionInit(
            session_id=str(uuid4()),
            server=f"chatd/{__version__}",
            heartbeat=self._heartbeat_s,
            max_content=self.codec.max_content,
            auth=self.admission.takes_passwords(identity),
        )
        connection = ServerConnection(
            self.codec,
            self._keyring.new_channel(),
            init,
            self.clock.seconds(),
            HandshakeLimits(self.limits.handshake_timeout_s, self.limits.max_first_frame),
        )
        leaving = self.connections.connected(protocol, identity.address)
        if leaving is not None:
            leaving.end_session(
                ErrorCode.OVERLOADED, "too many connections wait for a session", retry=True
            )
        return connection

    def make_room(self) -> bool:
        """Cut off a connection without a session, for one that the system has no room for.

        Returns:
            Whether there was one.
        """
        leaving = self.connections.make_room()
        if leaving is None:
            return False
        reason = "the file descriptors run out, and others wait for a session"
        leaving.connection.end(ErrorCode.OVERLOADED, reason, retry=True)
        leaving.abort()
        return True

    def identified(self, protocol: ServerProtocol) -> None:
        """Count a connection to the address that is known by now."""
        self.connections.identified(protocol, identify(protocol.transport).address)

    def arriving(self, protocol: ServerProtocol, held_bytes: int) -> None:
        """Note how much has arrived of a connection that was not acted on yet."""
        for leaving in self.connections.arriving(protocol, held_bytes):
            leaving.end_session(
                ErrorCode.OVERLOADED,
                "too much is arriving that is not whole or came too fast",
                retry=True,
            )

    def ended(self, protocol: ServerProtocol, *, is_gone: bool) -> None:
        """Count a connection out of those that wait for a session or have one."""
        leaving = self.connections.ended(protocol, is_gone=is_gone)
        if leaving is not None:
            leaving.abort()

    def disconnected(self, protocol: ServerProtocol) -> None:
        """Count a connection out."""
        self.connections.disconnected(protocol)
        self._shutdown.check()

    def add(self, session: Session, rooms: Sequence[Room[Session]]) -> None:
        """Take an established session into the chat, into rooms and onto the heartbeats."""
        self.sessions[session.id] = session
        self.connections.established(session.protocol, session.address)
        self._wheel.add(session.protocol)
        self.hub.roster.arrive(session, rooms)

    def remove(self, session: Session) -> None:
        """Take a session out of the chat."""
        del self.sessions[session.id]
        self._wheel.discard(session.protocol)
        # When everyone goes, to tell each of all the others would be quadratic.
        self.hub.roster.depart(session, is_silent=self._shutdown.is_under_way)

    def note_store_failure(self, error: Exception) -> None:
        """Log that the store could not do what it was asked."""
        self.log.error("the store failed: {error}", error=error)

    def compose(self, content: str | bytes, id: str | None, content_type: str | None) -> Message:
        """Make a message from the server to one session."""
        header = ChatHeader(
            id=uuid4().hex if id is None else id,
            sender=self._speaker.name,
            time=self.hub.unix_time(),
            content_type=content_type or DEFAULT_CONTENT_TYPE,
        )
        return Message(MessageType.MESSAGE, header, as_content(content))

    def _note_failure(self, error: BaseException | None) -> None:
        if isinstance(error, StoreError):
            self.note_store_failure(error)
        else:
            self.log.failure("what was said could not be stored or delivered", Failure(error))

    def _store_what_was_said(self) -> None:
        self.hub.commits.begin()

    def _note(self, line: str) -> None:
        self.log.info("{line}", line=line)

    def _start(self, awaitable: Awaitable[None]) -> None:
        try:
            started = start(awaitable)
        except Exception as error:
            self._note_failure(error)
            return
        if started is not None:
            started.addErrback(lambda failure: self._note_failure(failure.value))


async def _keep_nothing(bans: list[Ban]) -> None:
    """Keep the bans nowhere but in memory."""
