"""`ChatClient`: a client's session, with which a program sends and receives messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from chatd.arguments import check_texts, check_type
from chatd.chat.names import fold
from chatd.client.backlog import without_receipt
from chatd.client.sending import Sending
from chatd.client.session import ClientSession
from chatd.connection.client import ClientConnection
from chatd.errors import ErrorCode, RequestError, SessionEnded
from chatd.transport.eventloop import check_loop
from chatd.transport.hooks import DONE, HookResult
from chatd.transport.identity import identify
from chatd.transport.timer import Timer
from chatd.wire.messages import Message

if TYPE_CHECKING:
    from typing_extensions import Self, TypeVar  # no dependency: type checkers know it

    from chatd.client.factory import ChatClientFactory
else:
    from typing import TypeVar

__all__ = ["RECEIPTS_S", "ChatClient", "ClientT"]

RECEIPTS_S = 5.0
"""Limit on the time for which a goodbye waits for receipts, in seconds."""


class ChatClient(Sending, ClientSession):
    """A client's session.

    `connect` makes one. Iterate it for the messages of others::

        async for message in client:
            print(message.sender, message.text)

    The iteration ends when the session ends cleanly, and raises `SessionEnded` when it is lost.
    The iteration leaves the client's own messages out: `send` returns each of them as its receipt.
    The body of the loop may await anything, such as `send`: receipts arrive however many messages
    wait for the loop.

    The client keeps up to 8 MiB of messages that the program has not taken. The server keeps the
    messages after them, and the client fetches them in order when the program has caught up. If the
    server deletes them before, the hook `messages_missed` is called and `gaps` rises. When the
    session ends, the iteration still gives the messages that the client has.

    Subclass it to react to more: override `established`, `ended`, `message_received`,
    `messages_missed`, `messages_held`, `messages_released`, `event_received`, `room_joined` or
    `error_received`. chatd needs methods such as `tick` and `flush` itself: a type checker tells if
    a method of yours has the name of another.

    Attributes:
        factory: The factory that built it.
        name: The name that the server gave this client.
        room: The first room that this client is in, if any.
        heartbeats: How many of the server's pings this client has answered.
    """

    log = Logger()
    factory: ChatClientFactory[Any]

    def __init__(self, connection: ClientConnection, factory: ChatClientFactory[Any]) -> None:
        super().__init__(connection, factory)
        self._goodbye_timer = Timer(factory.clock)

    @property
    def session_id(self) -> str | None:
        """The session's UUID; None before the server's greeting."""
        init = self.connection.init
        return None if init is None else init.session_id

    @property
    def max_content(self) -> int:
        """Longest content of a message, in bytes; the lower one of the two sides' limits."""
        return self.connection.max_content

    @property
    def gaps(self) -> int:
        """How often messages were missed; see `messages_missed`."""
        return self._progress.gaps

    def send_message(self, message: Message) -> Deferred[Message]:
        """Send a MESSAGE that `Message.chat` made; see `send`."""
        if self._progress.is_kept and not self._check_over():
            return self._outbox.send(message)
        assert message.id is not None
        return self._ask(message.id, message)

    def _usual_room(self) -> str | None:
        """See `Sending._usual_room`: sent again in another session, it must go to the same room."""
        return self.room if self._progress.is_kept else None

    def reply(
        self,
        message: Message,
        content: str | bytes,
        *,
        id: str | None = None,
        content_type: str | None = None,
    ) -> Deferred[Message]:
        """Answer a message in its room, or directly if it is a direct one.

        Args:
            message: A message that this client received.
            content: See `send`.
            id: See `send`.
            content_type: See `send`.

        Returns:
            See `send`.

        Raises:
            LocalProtocolError: See `send`.
        """
        check_type("the message", message, Message, "the Message that this client answers")
        to = message.to
        if to is not None and fold(message.sender or "") != fold(self.name):
            to = message.sender  # else it is this client's own, and goes to the same receiver
        return self.send(content, id=id, room=message.room, to=to, content_type=content_type)

    def change_password(self, old: str, new: str) -> Deferred[None]:
        """Change the password of this client's account.

        The factory logs in with the new password from now on, for example after a reconnect. If the
        session ends before the answer, nobody knows which password the account has.

        Args:
            old: The present password.
            new: The new password, 1 to 1,024 bytes in UTF-8.

        Returns:
            A Deferred that fires with None when the server has kept the change. It fails with
            `RequestError` if the server refuses the change, or if the connection is in the clear:
            then nothing is sent. It fails with `SessionEnded` if the session ends first.
        """
        check_texts(old=old, new=new)
        if self.factory.key is None and identify(self.transport).is_clear_tcp:
            text = "a password is not sent in the clear: use a key file, TLS or a UNIX socket"
            return fail(RequestError(ErrorCode.AUTH_IN_CLEAR, text))
        try:
            (old + new).encode()
        except UnicodeEncodeError:  # not chained: the error holds the passwords
            return fail(RequestError(ErrorCode.BAD_PASSWORD, "a password is text in UTF-8"))
        asked = self.command("password", old=old, new=new)
        return asked.addCallback(lambda _: self.factory.keep_password(new))

    def when_ready_to_send(self) -> Deferred[None]:
        """Wait until fewer than 5,000 messages wait for their receipts.

        Returns:
            A Deferred that fires with None. It fails with `SessionEnded` if the session ends first;
            with a `ChatClientService`, it waits for the next session instead.
        """
        return (self._progress if self._progress.is_kept else self._answers).backlog.wait()

    def flush(self) -> None:
        """Let senders go on that wait for receipts, and write the queued frames."""
        self._outbox.settle()
        self._answers.backlog.check()
        self._progress.backlog.check()
        if self._goodbye_timer.is_running and not self._outbox.is_waiting:
            self._say_goodbye()
        super().flush()

    def session_ended(self, end_reason: SessionEnded) -> None:
        """Fail all pending answers, and tell the program."""
        self._goodbye_timer.stop()
        super().session_ended(end_reason)

    def _say_goodbye(self) -> None:
        self._goodbye_timer.stop()
        self.end_session(ErrorCode.GOODBYE, "the client is leaving")

    def _leave_without_receipts(self) -> None:
        self._outbox.abandon()
        if not self._progress.is_kept:  # otherwise the service tells
            lost = without_receipt(self._answers.unconfirmed)
            self.log.warn("the client is leaving: {lost}", lost=lost)
        self._say_goodbye()

    def ping(self) -> Deferred[float]:
        """Send a ping.

        Returns:
            A Deferred that fires with the round-trip time in seconds. It fails with `SessionEnded`
            if the session ends first.
        """
        check_loop(self._clock)
        if self._check_over():
            return fail(self._why_over())
        pong = self._answers.add_ping(self.connection.send_ping(), self._clock.seconds())
        self._turn.add(self)
        return pong

    def disconnect(self) -> Deferred[SessionEnded]:
        """Say goodbye, and close the connection after everything before is sent.

        If messages wait for their receipts, the goodbye waits for these, for up to 5 seconds. After
        that, the messages fail with `SessionEnded`: the server may have stored them or not. The
        connection is cut if the server does not read the goodbye within 5 more seconds.

        Returns:
            A Deferred that fires with the reason of the session's end, when the connection is
            closed.
        """
        if self._outbox.is_waiting and self.is_active:
            if not self._goodbye_timer.is_running:
                self._goodbye_timer.start(RECEIPTS_S, self._leave_without_receipts)
        elif not self._ended.is_reached:
            self._say_goodbye()
        return self._ended.wait()

    def when_established(self) -> Deferred[Self]:
        """Wait for the welcome.

        Returns:
            A Deferred that fires with this client when its session is active and it is in its
            rooms. It fails with `SessionRefused` if the server refuses the client, and with
            `SessionEnded` if the session ends first.
        """
        if self.connection.is_over:
            return fail(self._end_reason())
        return self._established.wait().addCallback(lambda _: self)

    def when_ended(self) -> Deferred[SessionEnded]:
        """Wait for the end.

        Returns:
            A Deferred that fires with the reason of the session's end, when the connection is
            closed.
        """
        return self._ended.wait()

    def __aiter__(self) -> Self:
        """Iterate over the messages of others; all loops over a client share its messages.

        Each message reaches only one of the loops.
        """
        return self

    async def __anext__(self) -> Message:
        """Return the next message of others, and wait until there is one.

        Raises:
            StopAsyncIteration: The session ended cleanly.
            SessionEnded: The session was lost.
        """
        return await self._inbox.take()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.disconnect()

    def message_received(self, message: Message, is_receipt: bool) -> HookResult:
        """Act on a message; by default, give the messages of others to the iteration.

        It is called once for each message, when the message arrives. If the iteration is so far
        behind that the client fetches messages again for it, these reach the iteration alone.

        Args:
            message: The message.
            is_receipt: Whether it is the receipt of a message that this client sent.
        """
        # Only the first lost message is told: a program that never iterates would flood the log.
        if not is_receipt and not self._inbox.put(message):
            self.tell_missed(message.room, message.sender if message.room is None else None)
        return DONE


if TYPE_CHECKING:
    ClientT = TypeVar("ClientT", bound=ChatClient, default=ChatClient)
else:  # Python 3.10 to 3.12 have no defaults
    ClientT = TypeVar("ClientT", bound=ChatClient)
