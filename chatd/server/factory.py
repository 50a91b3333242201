"""`ChatFactory`: a chat server, and the base class of other message services."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Generic

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from chatd.arguments import check_initialised, check_type, wrong_type
from chatd.chat.moderation import Bans
from chatd.chat.policy import Policy
from chatd.errors import ConfigurationError, ErrorCode, SessionEnded
from chatd.server.accounts import Accounts
from chatd.server.engine import Engine
from chatd.server.keyring import Keyring
from chatd.server.limits import Limits
from chatd.server.protocol import ServerProtocol
from chatd.server.session import Session, SessionT
from chatd.server.sessionclass import named_session_class
from chatd.storage.interface import IMessageStore
from chatd.storage.memory import MemoryStore
from chatd.transport.hooks import DONE, HookResult
from chatd.transport.promise import promised
from chatd.wire.codec import Codec
from chatd.wire.envelope import MAX_CONTENT
from chatd.wire.messages import Message

__all__ = ["GRACE_S", "HEARTBEAT_S", "ChatFactory"]

HEARTBEAT_S = 5.0
"""Seconds between two pings, unless the operator sets another interval."""
GRACE_S = 10.0
"""Seconds that a shutdown may take, unless the operator sets another time."""


class ChatFactory(Factory, Generic[SessionT]):
    """A chat server: it builds the protocol for each connection, and holds the sessions.

    Override `message_received` to build another message service on the same sessions. For a session
    class of your own, subclass `ChatFactory[YourSession]`; otherwise, subclass `ChatFactory`.

    Args:
        clock: The reactor, or a test's clock.
        key: The shared key, 32 bytes; it turns on encryption, and signatures that prove the
            origin. None for neither.
        heartbeat_s: Seconds between two pings; three silent intervals end a session.
        max_content: Longest content of a message, in bytes.
        name: The name of the server as a sender.
        unix_time: Returns the time for messages, in Unix seconds.
        store: Keeps the messages; None for a store in memory. If it is an `IBackplane`, the
            daemons that share it are one chat.
        accounts: The accounts; None if the server has none.
        bans: The bans; None for an empty list in memory.
        policy: The operator's other settings of the chat.
        limits: The limits for peers.

    Attributes:
        limits: The limits for peers.
        sessions: The established sessions of this daemon, by their ids.
        hub: The chat: its rooms and members.
        store: Keeps the messages; `ChatService` opens and closes it.
        bans: The bans.
        operators: The operators; their `names` may kick and ban.
        engine: The parts that the protocols work with.

    Raises:
        ConfigurationError: The key does not have 32 bytes, or a number is out of its range.
    """

    session_class: type[SessionT] = Session  # type: ignore[assignment]  # the type's default
    """The class of each client's session, from `ChatFactory[YourSession]`, or else `Session`."""

    log = Logger()
    noisy = False  # Twisted's own log lines at start and stop

    def __init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401
        """Make sessions of the class that `ChatFactory[YourSession]` names."""
        super().__init_subclass__(**kwargs)
        if "session_class" in vars(cls):
            return
        named = named_session_class(cls, ChatFactory)
        if named is not None:
            cls.session_class = named

    def __init__(  # noqa: PLR0913  (each is one of the operator's settings, with a default)
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
        if not callable(getattr(clock, "callLater", None)):
            raise wrong_type("the clock", clock, "the reactor or a Clock")
        check_type("policy", policy, Policy, "a Policy")
        check_type("limits", limits, Limits, "a Limits")
        check_type("the name", name, str, "text")
        check_type("accounts", accounts, (Accounts, type(None)), "an Accounts")
        check_type("bans", bans, (Bans, type(None)), "a Bans")
        if not callable(unix_time):
            raise wrong_type("unix_time", unix_time, "a function such as time.time")
        if store is not None and not IMessageStore.providedBy(store):
            raise wrong_type("store", store, "a message store, such as MemoryStore()")
        self.clock = clock
        self.limits = limits
        self.store = MemoryStore(unix_time=unix_time) if store is None else store
        if bans is None:
            bans = Bans(lock=DeferredLock(), unix_time=unix_time)
        self.bans = bans
        self._keyring = Keyring(key, max_content)
        self._unproven_operators = policy.operators if accounts is None else ()
        self.engine: Engine[SessionT] = Engine(
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
        """The codec with the key of new connections."""
        return self._keyring.codec

    @property
    def has_key(self) -> bool:
        """Whether sessions are encrypted."""
        return self._keyring.has_key

    # Override these

    def message_received(self, session: SessionT, message: Message) -> HookResult:
        """Act on a MESSAGE of a client of this daemon; by default, deliver it to its room.

        Publish the message, reply to it or raise `RequestError`: the client's `send` waits for an
        answer. An override that calls `super().message_received` must await or return its result.

        May be `async`: the session's next message is read when this call is done. So messages are
        processed in order, and a client cannot pile up the work of more than one message.

        Args:
            session: The sender's session.
            message: The message as the client sent it.

        Raises:
            RequestError: Sent to the client as an ERROR for this message; the session goes on.
                Any other exception is logged, and the client gets `internal-error`.
        """
        self.publish(session, message)
        return DONE

    def command_received(self, session: SessionT, command: Message) -> HookResult:
        """Act on a COMMAND of a client of this daemon; may be `async`, see `message_received`.

        By default, run chatd's own commands. Answer commands of your own with
        `Session.send_result`. For all others, await or return the result of
        `super().command_received`, or they are not run and the client waits for ever. The log names
        a method that gives no answer, once.

        Args:
            session: The client's session.
            command: Its `command` is the name of the command, its `fields` are the arguments.

        Raises:
            RequestError: `unknown-command`, or another reason for refusing the command.
        """
        return self._run_command(session, command)

    # Call these

    def publish(self, session: SessionT, message: Message) -> None:
        """Deliver a session's message to everyone in its room, and the receipt to the sender.

        A message to a name goes to all sessions of the sender's name and of that name instead. The
        message is stored first, then encoded and signed once; everyone gets the same bytes. If the
        sender repeats a message under the same id, it gets the first receipt again. The sender gets
        an ERROR if the message cannot be stored (`not-stored`), or if it used the id for another
        message (`id-reused`).

        Raises:
            RequestError: `not-in-room`: the message is for a room that the session is not in;
                `bad-name`; `bad-request`: it is for a room and a name.
            LocalProtocolError: The content exceeds the limit.
        """
        if not isinstance(message, Message):
            raise wrong_type("the message", message, "a Message (send_to_room takes text)")
        self.codec.check_content(message.content)
        session.protocol.unanswered = None
        self.hub.say_one(session, message)
        self.engine.turn.schedule()

    def send_to_room(
        self,
        room: str,
        content: str | bytes,
        *,
        id: str | None = None,
        content_type: str | None = None,
    ) -> Deferred[Message]:
        """Send a message from the server to everyone in a room, on all daemons of the chat.

        Args:
            room: The room's name; the room may be empty.
            content: Text, sent as UTF-8, or bytes.
            id: Up to 64 characters; None for a new UUID.
            content_type: The content's media type; None for plain text in UTF-8.

        Returns:
            A Deferred that fires with the delivered message when it is stored. It fails with
            `RequestError`: `bad-room`, `not-stored`, or `id-reused` if the id belongs to another
            content; a failure that you do not take is logged.

        Raises:
            LocalProtocolError: The content exceeds the limit, or another part cannot be sent.
        """
        message = Message.chat(content, id=id, content_type=content_type)
        self.codec.encode(message)  # a message that cannot be sent must not take a place
        return promised(Deferred.fromCoroutine(self.engine.speaker.say(room, message)))

    def when_active(self, name: str) -> Deferred[SessionT]:
        """Wait for a client of this daemon.

        Args:
            name: The client's name.

        Returns:
            A Deferred that fires with the client's session when the session is active and its
            `established` is done. It fails with `SessionEnded` if the server shuts down first.
        """
        check_type("the name", name, str, "text")
        return self.engine.registry.when_active(name)

    def use_key(self, key: bytes) -> None:
        """Use another key for new connections; existing connections keep theirs.

        Args:
            key: The key, 32 bytes.

        Raises:
            ConfigurationError: The key does not have 32 bytes, or the server was started without a
                key: its clients expect another greeting.
        """
        if not self.has_key:
            raise ConfigurationError("a server that was started without a key cannot take a key")
        self._keyring.replace(key)

    def use_operators(self, names: Iterable[str]) -> None:
        """Replace the operators of this daemon, and remove former operators from private rooms.

        Args:
            names: The names of the operators from now on.
        """
        self.operators.replace(names)
        self.engine.hub.roster.remove_strangers()

    def shut_down(self, grace_s: float = GRACE_S) -> Deferred[None]:
        """Send every client `shutting-down`, and accept no new clients.

        Clients get it when all messages have their answers, or after half of the grace.

        Args:
            grace_s: How long the shutdown may take, in seconds. After that, all connections that
                are still open are aborted, and missing answers are no longer waited for.

        Returns:
            A Deferred that fires with None when all connections are closed and all messages are
            stored, or when the grace is over.
        """
        end = SessionEnded(ErrorCode.SHUTTING_DOWN, "the server is shutting down", retry=True)
        self.engine.registry.close(end)
        done = self.engine.shutdown.begin(end, grace_s)
        return promised(done.addCallback(lambda _: self.engine.finish()))

    def cut_off(self) -> None:
        """If the server is shutting down, abort all connections and stop waiting."""
        self.engine.shutdown.cut_short()

    # For the protocols and the sessions

    @property
    def takes_runs(self) -> bool:
        """Whether `message_received` and `publish` are not overridden.

        Then the messages that arrive together are delivered as a run.
        """
        return (
            getattr(self.message_received, "__func__", None) is _MESSAGE_RECEIVED
            and getattr(self.publish, "__func__", None) is _PUBLISH
        )

    def startFactory(self) -> None:
        """Accept clients, also after a `shut_down`; Twisted calls this before it listens."""
        self.check_initialised()
        self.engine.shutdown.take_back()
        if self._unproven_operators:
            self.log.warn(
                "there are no accounts: anyone who takes the name {names} may kick and ban; give "
                "--auth or --password-file",
                names=" or ".join(self._unproven_operators),
            )

    def buildProtocol(  # type: ignore[override]
        self, addr: IAddress | None
    ) -> ServerProtocol | None:
        """Build the protocol of a new connection; None if the server is shutting down."""
        if self.engine.shutdown.is_under_way:
            return None
        return ServerProtocol(self)

    def check_initialised(self) -> None:
        """Check that the `__init__` of a subclass calls that of its base.

        Raises:
            TypeError: It does not.
        """
        check_initialised(self, "sessions", "clock, **options")

    async def _run_command(self, session: SessionT, command: Message) -> None:
        """Run a command of chatd's own; until then, nothing has answered it."""
        assert isinstance(command.header, dict)
        session.protocol.unanswered = None
        await self.engine.commands.run(session, command.header)

    def _note(self, line: str) -> None:
        self.log.info("{line}", line=line)


_MESSAGE_RECEIVED, _PUBLISH = ChatFactory.message_received, ChatFactory.publish
