"""`ChatClient`: a client's session, for a program to speak and listen with."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.chat.names import fold
from chatd.client.commands import ClientCommands
from chatd.client.inbox import Inbox
from chatd.client.results import Joined
from chatd.client.resume import catch_up, fetch, resume
from chatd.connection.client import ClientConnection
from chatd.connection.events import (
    Event,
    PingReceived,
    PongReceived,
    RequestFaulted,
    Welcomed,
)
from chatd.errors import ErrorCode, LocalProtocolError, RequestError, SessionEnded
from chatd.transport.hooks import Hook, call_hook
from chatd.transport.identity import identify
from chatd.transport.protocol import ChatProtocol
from chatd.wire.messages import MAX_ID, Error, Message, MessageType

if TYPE_CHECKING:
    from chatd.client.factory import ChatClientFactory

__all__ = ["ChatClient"]

MAX_FETCHES = 100
"""How many histories may be asked for at once for what is missing."""


class ChatClient(ChatProtocol, ClientCommands):
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
    failed_reason = "the client failed"

    def __init__(self, connection: ClientConnection, factory: ChatClientFactory) -> None:
        ChatProtocol.__init__(self, connection, factory.turn, factory.clock, max_pending=None)
        ClientCommands.__init__(self, factory.progress)
        self.factory = factory
        self.name = ""
        self.room: str | None = None
        self._answers: dict[str, Deferred[Any]] = {}
        self._pings: dict[int, tuple[Deferred[float], float]] = {}
        self._established: list[Deferred[ChatClient]] = []
        self._ended: list[Deferred[SessionEnded]] = []
        self._is_ready = False
        self._inbox = factory.progress.inbox or Inbox()

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
        to: str | None = None,
        content_type: str | None = None,
    ) -> Deferred[Message]:
        """Say something, in a room or to a name.

        Args:
            content: Text, sent as UTF-8, or bytes; at most `max_content` bytes.
            id: Up to 64 characters; a new UUID where there is none. The same id sent again is
                answered with the first receipt, and not delivered twice.
            room: The room to say it in; the first that this client is in where there is none.
            to: The name to say it to, instead of a room.
            content_type: What the content is; plain text in UTF-8 where there is none.

        Returns:
            A Deferred that fires with the receipt, the message as the server stored and ordered it,
            with its `seq` and `time`. It fails with `RequestError` where the server refuses the
            message, and with `SessionEnded` where the session ends first; with a
            `ChatClientService` it waits for the next session instead, where the message is sent
            again if it has to be.

        Raises:
            LocalProtocolError: The content is over the limit, or the id waits for its receipt.
        """
        if self._progress.is_kept and to is None and room is None:
            room = self.room  # where it belongs, should it be sent again
        message = Message.chat(content, id=id, room=room, to=to, content_type=content_type)
        assert message.id is not None
        if not self._progress.is_kept or self._check_established():
            return self._ask(message.id, message)
        answer = self._progress.keep(message)
        if not self._is_ready:  # it is sent with what is sent again
            return answer
        try:
            return self._ask(message.id, message, answer)
        except LocalProtocolError:
            self._forget(message.id)
            raise

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
        if not self.is_gone:
            self.end_session(ErrorCode.GOODBYE, "the client is leaving")
        return ended

    def when_established(self) -> Deferred[ChatClient]:
        """Wait for the welcome.

        Returns:
            A Deferred that fires with this client when its session is active and it is in its
            rooms. It fails with
            `SessionRefused` where the server does not let it in, and with `SessionEnded` where
            the session ends first.
        """
        waiting: Deferred[ChatClient] = Deferred()
        if self._is_ready and self.is_active:
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
        if self.is_gone:
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

    def room_joined(self, joined: Joined) -> Awaitable[None] | None:
        """Act on being in a room: at the beginning of a session, and after `join`.

        Args:
            joined: What the room is like. When the client comes back, `recovered` says whether it
                is told all that it missed.
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
            resumed = Deferred.fromCoroutine(resume(self, event.rooms))
            resumed.addCallbacks(lambda _: self._ready(), self._not_resumed)
        elif isinstance(event, PingReceived | RequestFaulted):
            self.connection.answer(event)
        elif isinstance(event, PongReceived) and event.n in self._pings:
            pong, start = self._pings.pop(event.n)
            pong.callback(self._clock.seconds() - start)

    def session_ended(self, end_reason: SessionEnded) -> None:
        """Tell everyone who still waits that nothing will come."""
        self.factory.remove(self)
        kept = self._progress.unconfirmed
        failing: list[Deferred[Any]] = [*self._established]
        failing += [
            answer for id, answer in self._answers.items() if id not in kept and not answer.called
        ]
        failing += [deferred for deferred, _ in self._pings.values()]
        self._answers, self._established, self._pings = {}, [], {}
        for deferred in failing:
            deferred.errback(end_reason)
        if not self._progress.is_kept:  # else others will fill it
            self._inbox.close(end_reason)
        self._call(self.ended, end_reason)

    def connectionMade(self) -> None:
        """Wait for the greeting."""
        if self.factory.key is None and identify(self.transport).is_clear_tcp:
            self.connection.withhold_password()
        super().connectionMade()

    def connection_closed(self) -> None:
        """Tell those who wait for the connection to be closed."""
        waiting, self._ended = self._ended, []
        for deferred in waiting:
            deferred.callback(self._end_reason())

    # Within

    def _resend(self) -> None:
        """Send again, under the same ids, what has no receipt."""
        for id, kept in list(self._progress.unconfirmed.items()):
            if id in self._answers or not self.is_active:
                continue
            try:
                self._ask(id, kept.message, kept.answer)
            except LocalProtocolError as error:  # this server takes less than the one before
                self._forget(id)
                kept.answer.errback(error)

    def _ready(self) -> None:
        self._is_ready = True
        if self.room is None:  # it has come back into its rooms by itself
            first = next(iter(self._progress.rooms.values()), None)
            self.room = None if first is None else first.name
        waiting, self._established = self._established, []
        for deferred in waiting:
            deferred.callback(self)
        self._call(self.established)

    def _not_resumed(self, failure: Failure) -> None:
        """Give up a session that cannot go on where the last one ended."""
        if not failure.check(SessionEnded):
            self._log_failure(failure, "resuming")
            self.end_session(ErrorCode.INTERNAL_ERROR, self.failed_reason, retry=True)

    def _give(
        self, command_id: str, command: str, fields: Mapping[str, object]
    ) -> Deferred[dict[str, Any]]:
        header = {**fields, "id": command_id, "command": command}
        return self._ask(command_id, Message(MessageType.COMMAND, header))

    def _ask(self, id: str, message: Message, answer: Deferred[Any] | None = None) -> Deferred[Any]:
        if self._check_established():
            return fail(self._end_reason())
        if len(id) > MAX_ID:
            raise LocalProtocolError(f"an id has at most {MAX_ID} characters, not {len(id)}")
        waiting = self._answers.get(id)
        if waiting is not None and not waiting.called:  # called: it was cancelled
            raise LocalProtocolError(f"the message {id} was sent and waits for its receipt")
        self.connection.send(message.type, message.header, message.content)
        self._turn.add(self)
        if answer is None:
            answer = Deferred(lambda _: self._forget(id))
        self._answers[id] = answer
        return answer

    def _check_established(self) -> bool:
        """Say whether the session is over; one that has not begun is the caller's mistake."""
        if not self.is_active and not self.connection.is_over:
            raise LocalProtocolError("wait for the welcome first: when_established()")
        return self.connection.is_over

    def _forget(self, id: str) -> None:
        self._take_answer(id)

    def _take_answer(self, id: str) -> Deferred[Any] | None:
        """Return who waits for the answer to a frame; it may be of a connection before this one."""
        kept = self._progress.unconfirmed.pop(id, None)
        answer = self._answers.pop(id, None)
        if answer is None and kept is not None:
            answer = kept.answer
        return None if answer is None or answer.called else answer  # called: it was cancelled

    def _joined(self, joined: Joined) -> None:
        """Take note of being in a room."""
        super()._joined(joined)
        self._call(self.room_joined, joined)

    def _tell_error(self, error: RequestError) -> None:
        """Tell the program of an error that nobody waits for."""
        self._call(self.error_received, error)

    def _renamed(self, result: dict[str, Any]) -> str:
        old_name, self.name = self.name, super()._renamed(result)
        self.factory.keep_name(self.name)
        if self._progress.is_kept and fold(self.name) != fold(old_name):
            self._progress.direct.clear()  # other messages are direct ones to this name
            learnt = Deferred.fromCoroutine(catch_up(self, is_back=False))
            learnt.addErrback(self._not_resumed)
        return self.name

    def _call(self, hook: Hook, *args: object) -> None:
        """Call what may be overridden; its failure is logged, and the session goes on."""
        call_hook(self._log_failure, getattr(hook, "__name__", repr(hook)), hook, *args)

    def _log_failure(self, failure: Failure, about: str) -> None:
        self.log.failure("{about} failed", failure=failure, about=about)

    def _act_on_message(self, message: Message) -> None:
        header = message.header
        if message.type == MessageType.MESSAGE:
            page = self._pages.get(message.ref or "")
            if message.ref is not None:  # programs are given a message as everyone is
                message = message.with_ref(None)
            if page is None:
                self._act_on_chat(message)
                return
            page.add(message)
            if page.is_over:
                why = "the server's answer is more than was asked for"
                self.end_session(ErrorCode.SLOW_CONSUMER, why, retry=True)
        elif isinstance(header, Error):
            error = RequestError(header.code, header.message, ref=header.ref)
            self._pages.pop(header.ref or "", None)
            answer = self._take_answer(header.ref or "")
            if answer is None:
                self._call(self.error_received, error)
            else:
                answer.errback(error)
        elif isinstance(header, dict):
            if message.type == MessageType.EVENT:
                self._call(self.event_received, header)
                return
            self._pages.pop(header["id"], None)
            answer = self._take_answer(header["id"])
            if answer is not None:
                answer.callback(header)

    def _act_on_chat(self, message: Message) -> None:
        """Give a message to who waits for it as a receipt, and to the program if it is news."""
        answer = None
        # A copy counts as the receipt only if it is of this client's own words.
        is_own = message.seq is not None and fold(message.sender or "") == fold(self.name)
        if message.seq is None or is_own:
            answer = self._take_answer(message.id or "")
        is_news, to_fetch = self._progress.take(message, self.name)
        if is_news:
            self._call(self.message_received, message, is_own or answer is not None)
        if to_fetch is not None and answer is None and len(self._pages) < MAX_FETCHES:
            Deferred.fromCoroutine(fetch(self, to_fetch)).addErrback(self._not_resumed)
        if answer is not None:
            answer.callback(message)

    def _end_reason(self) -> SessionEnded:
        reason = self.connection.end_reason
        if reason is None:
            return SessionEnded(ErrorCode.CONNECTION_LOST, "there is no session yet", retry=True)
        return reason.again()
