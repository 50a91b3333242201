"""`ChatClient`: a client's session, for a program to speak and listen with."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.errors import ErrorCode, LocalProtocolError, RequestError, SessionEnded
from chatd.net.hooks import Hook, call_hook
from chatd.net.inbox import Inbox
from chatd.net.protocol import ChatProtocol
from chatd.session.client import ClientConnection
from chatd.session.events import Event, PongReceived, Welcomed
from chatd.wire.messages import MAX_ID, Error, Message, MessageType

if TYPE_CHECKING:
    from chatd.net.connect import ChatClientFactory

__all__ = ["ChatClient"]


class ChatClient(ChatProtocol):
    """A client's session.

    `connect` makes one. Iterate it for what others say::

        async for message in client:
            print(message.sender, message.text)

    The iteration ends when the session ends cleanly, and raises `SessionEnded` when it is lost.
    What this client says itself is not iterated: `send` gives it back as the receipt.

    Attributes:
        name: The name that the server gave this client.
        room: The room that it was let into, if any.
    """

    log = Logger()
    connection: ClientConnection

    def __init__(self, connection: ClientConnection, factory: ChatClientFactory) -> None:
        super().__init__(connection, factory.turn, factory.clock, max_pending=None)
        self.factory = factory
        self.name = ""
        self.room: str | None = None
        self._answers: dict[str, Deferred[Any]] = {}
        self._pings: dict[int, tuple[Deferred[float], float]] = {}
        self._established: list[Deferred[ChatClient]] = []
        self._ended: list[Deferred[SessionEnded]] = []
        self._inbox = Inbox()

    # What a program asks

    @property
    def session_id(self) -> str | None:
        """The session's UUID, once the server has greeted."""
        init = self.connection.init
        return None if init is None else init.session_id

    @property
    def is_active(self) -> bool:
        """Whether the session is established and not over."""
        return self.connection.is_established

    @property
    def max_content(self) -> int:
        """Longest content that the server accepts, in bytes."""
        return self.connection.max_content

    def send(
        self,
        content: str | bytes,
        *,
        id: str | None = None,
        room: str | None = None,
        content_type: str | None = None,
    ) -> Deferred[Message]:
        """Say something.

        Args:
            content: Text, sent as UTF-8, or bytes; at most `max_content` bytes.
            id: Up to 64 characters; a new UUID where there is none. The same id sent again is
                answered with the first receipt, and not delivered twice.
            room: The room to say it in; the server's default where there is none.
            content_type: What the content is; plain text in UTF-8 where there is none.

        Returns:
            A Deferred that fires with the receipt, the message as the server ordered it, with its
            `seq` and `time`. It fails with `RequestError` where the server refuses the message,
            and with `SessionEnded` where the session ends first.

        Raises:
            LocalProtocolError: The content is over the limit, or the id waits for its receipt.
        """
        message = Message.chat(content, id=id, room=room, content_type=content_type)
        assert message.id is not None
        return self._ask(message.id, message)

    def command(self, command: str, /, **fields: object) -> Deferred[dict[str, Any]]:
        """Give the server a command.

        Args:
            command: Its name.
            fields: What belongs to it; JSON values.

        Returns:
            A Deferred that fires with the fields of the RESULT. It fails like `send`'s.
        """
        command_id = uuid4().hex
        header = {**fields, "id": command_id, "command": command}
        return self._ask(command_id, Message(MessageType.COMMAND, header))

    def ping(self) -> Deferred[float]:
        """Ask the server for a sign of life.

        Returns:
            A Deferred that fires with the round trip's time in seconds, and fails with
            `SessionEnded` where the session ends first.
        """
        if self._check_established():
            return fail(self._end_reason())
        waiting: Deferred[float] = Deferred()
        self._pings[self.connection.send_ping()] = waiting, self._clock.seconds()
        self._turn.add(self)
        return waiting

    def disconnect(self) -> Deferred[SessionEnded]:
        """Say goodbye, and close once everything said before is sent.

        Returns:
            A Deferred that fires with why the session ended, when the connection is closed.
        """
        ended = self.when_ended()
        if not self._is_gone:
            self.end_session(ErrorCode.GOODBYE, "the client is leaving")
        return ended

    def when_established(self) -> Deferred[ChatClient]:
        """Wait for the welcome.

        Returns:
            A Deferred that fires with this client when its session is active. It fails with
            `SessionRefused` where the server does not let it in, and with `SessionEnded` where
            the session ends first.
        """
        waiting: Deferred[ChatClient] = Deferred()
        if self.is_active:
            waiting.callback(self)
        elif self.connection.is_over:
            waiting.errback(self._end_reason())
        else:
            self._established.append(waiting)
        return waiting

    def when_ended(self) -> Deferred[SessionEnded]:
        """Wait for the end.

        Returns:
            A Deferred that fires with why the session ended, when the connection is closed.
        """
        waiting: Deferred[SessionEnded] = Deferred()
        if self._is_gone:
            waiting.callback(self._end_reason())
        else:
            self._ended.append(waiting)
        return waiting

    def __aiter__(self) -> ChatClient:
        return self

    async def __anext__(self) -> Message:
        return await self._inbox.take()

    async def __aenter__(self) -> ChatClient:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.disconnect()

    # Yours to override: plain, or `async` and then not waited for

    def established(self) -> Awaitable[None] | None:
        """Act on the session's being established: the server has welcomed this client."""
        return None

    def ended(self, reason: SessionEnded) -> Awaitable[None] | None:
        """Act on the session's end, whatever the reason; called exactly once.

        Args:
            reason: Why; `connection-lost` where nobody said.
        """
        return None

    def message_received(self, message: Message, is_receipt: bool) -> Awaitable[None] | None:
        """Act on a message; what is not overridden keeps those of others for the iteration.

        Args:
            message: What was said.
            is_receipt: Whether it is the receipt of what this client said.
        """
        if not is_receipt and not self._inbox.put(message):
            self.end_session(ErrorCode.SLOW_CONSUMER, "messages are not read in time", retry=True)
        return None

    def event_received(self, event: dict[str, Any]) -> Awaitable[None] | None:
        """Act on what the server says unasked, such as who joined; ignored unless overridden.

        Args:
            event: The EVENT's header; `event` is its name.
        """
        return None

    def error_received(self, error: RequestError) -> Awaitable[None] | None:
        """Act on an ERROR that answers nothing this client waits for; logged unless overridden."""
        self.log.warn("the server says: {error}", error=error)
        return None

    # From the connection

    def act_on(self, event: Event) -> None:
        """Give what arrived to whoever waits for it."""
        if isinstance(event, Message):
            self._act_on_message(event)
        elif isinstance(event, Welcomed):
            self.name, self.room = event.name, event.room
            self.handshake_done()
            self.factory.add(self)
            waiting, self._established = self._established, []
            for deferred in waiting:
                deferred.callback(self)
            self._call(self.established)
        elif isinstance(event, PongReceived) and event.n in self._pings:
            pong, start = self._pings.pop(event.n)
            pong.callback(self._clock.seconds() - start)

    def session_ended(self, end_reason: SessionEnded) -> None:
        """Tell everyone who still waits that nothing will come."""
        self.factory.remove(self)
        failing: list[Deferred[Any]] = [*self._answers.values(), *self._established]
        failing += [deferred for deferred, _ in self._pings.values()]
        self._answers, self._established, self._pings = {}, [], {}
        for deferred in failing:
            deferred.errback(end_reason)
        self._inbox.close(end_reason)
        self._call(self.ended, end_reason)

    def connection_closed(self) -> None:
        """Tell those who wait for the connection to be closed."""
        waiting, self._ended = self._ended, []
        for deferred in waiting:
            deferred.callback(self._end_reason())

    # Within

    def _ask(self, id: str, message: Message) -> Deferred[Any]:
        if self._check_established():
            return fail(self._end_reason())
        if len(id) > MAX_ID:
            raise LocalProtocolError(f"an id has at most {MAX_ID} characters, not {len(id)}")
        if id in self._answers:
            raise LocalProtocolError(f"the message {id} was sent and waits for its receipt")
        self.connection.send(message.type, message.header, message.content)
        self._turn.add(self)
        answer: Deferred[Any] = Deferred(lambda _: self._forget(id))
        self._answers[id] = answer
        return answer

    def _check_established(self) -> bool:
        """Say whether the session is over; one that has not begun is the caller's mistake."""
        if not self.is_active and not self.connection.is_over:
            raise LocalProtocolError("wait for the welcome first: when_established()")
        return self.connection.is_over

    def _forget(self, id: str) -> None:
        self._answers.pop(id, None)

    def _call(self, hook: Hook, *args: object) -> None:
        """Call what may be overridden; its failure is logged, and the session goes on."""
        call_hook(
            hook, *args, failed=self._log_failure, about=getattr(hook, "__name__", repr(hook))
        )

    def _log_failure(self, failure: Failure, about: str) -> None:
        self.log.failure("{about} failed", failure=failure, about=about)

    def _act_on_message(self, message: Message) -> None:
        header = message.header
        if message.type == MessageType.MESSAGE:
            answer = None
            # A room's copy counts as the receipt only if it is this client's own.
            is_own = message.room is not None and message.sender == self.name
            if message.room is None or is_own:
                answer = self._answers.pop(message.id or "", None)
            self._call(self.message_received, message, is_own or answer is not None)
            if answer is not None:
                answer.callback(message)
        elif isinstance(header, Error):
            error = RequestError(header.code, header.message, ref=header.ref)
            answer = self._answers.pop(header.ref or "", None)
            if answer is None:
                self._call(self.error_received, error)
            else:
                answer.errback(error)
        elif isinstance(header, dict):
            if message.type == MessageType.EVENT:
                self._call(self.event_received, header)
            elif (answer := self._answers.pop(header["id"], None)) is not None:
                answer.callback(header)

    def _end_reason(self) -> SessionEnded:
        reason = self.connection.end_reason
        if reason is None:
            return SessionEnded(ErrorCode.CONNECTION_LOST, "there is no session yet", retry=True)
        return reason.again()
