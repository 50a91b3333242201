"""`ChatFactory`: a chat server, and what other message services are made of by subclassing."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import ClassVar

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from chatd.chat.moderation import Ban, Bans
from chatd.chat.policy import Policy
from chatd.errors import ConfigurationError, ErrorCode, SessionEnded
from chatd.server.accounts import Accounts
from chatd.server.engine import Engine
from chatd.server.keyring import Keyring
from chatd.server.limits import Limits
from chatd.server.protocol import ServerProtocol
from chatd.server.session import Session
from chatd.storage.interface import IMessageStore
from chatd.storage.memory import MemoryStore
from chatd.wire.codec import Codec
from chatd.wire.envelope import MAX_CONTENT
from chatd.wire.messages import Message

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
        engine: The parts that the protocols work with.

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
        self.clock = clock
        self.limits = limits
        self.store = MemoryStore(unix_time=unix_time) if store is None else store
        if bans is None:
            bans = Bans(save=_keep_nothing, lock=DeferredLock(), unix_time=unix_time)
        self.bans = bans
        self._keyring = Keyring(key, max_content)
        self._unproven_operators = policy.operators if accounts is None else ()
        self.engine: Engine[Session] = Engine(
            clock,
            self._keyring,
            heartbeat_s=heartbeat_s,
            name=name,
            unix_time=unix_time,
            store=self.store,
            accounts=accounts,
            bans=bans,
            policy=policy,
            limits=limits,
            note=self._note,
        )
        self.hub = self.engine.hub
        self.operators = self.engine.operators
        self.sessions = self.engine.registry.sessions

    @property
    def codec(self) -> Codec:
        """What encodes with the key of new connections."""
        return self._keyring.codec

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
        return self.engine.commands.run(session, command.header)

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
        self.engine.turn.schedule()

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
        return Deferred.fromCoroutine(self.engine.speaker.say(room, message))

    def when_active(self, name: str) -> Deferred[Session]:
        """Wait for a client.

        Args:
            name: Its name.

        Returns:
            A Deferred that fires with its session as soon as that is active and its `established`
            is done. It fails with `SessionEnded` where the server shuts down first.
        """
        return self.engine.registry.when_active(name)

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
        self.engine.registry.close(end)
        return self.engine.shutdown.begin(end, grace_s)

    def cut_off(self) -> None:
        """Wait for nobody any more, where the server is shutting down."""
        self.engine.shutdown.cut_short()

    # For the protocols and the sessions

    def startFactory(self) -> None:
        """Take clients, also after a `shut_down`; Twisted calls it before listening begins."""
        self.engine.shutdown.take_back()
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
        if self.engine.shutdown.is_under_way:
            return None
        return ServerProtocol(self)

    def _note(self, line: str) -> None:
        self.log.info("{line}", line=line)


async def _keep_nothing(bans: list[Ban]) -> None:
    """Keep the bans nowhere but in memory."""
