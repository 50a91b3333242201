"""`ClientSession`: the client's side of a session, between the transport and the program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, ITransport
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.chat.names import fold
from chatd.client.answers import PendingAnswers
from chatd.client.commands import ClientCommands
from chatd.client.fields import check_event, check_message
from chatd.client.hooks import ClientHooks
from chatd.client.inbox import Inbox
from chatd.client.milestone import Milestone
from chatd.client.outbox import Outbox
from chatd.client.progress import Position, Progress
from chatd.client.refill import Refill
from chatd.client.results import Joined
from chatd.client.resume import catch_up, fetch, rejoin
from chatd.connection.client import ClientConnection
from chatd.connection.events import (
    Event,
    PingReceived,
    PongReceived,
    RequestFaulted,
    Run,
    Welcomed,
)
from chatd.connection.states import Trigger
from chatd.errors import ErrorCode, LocalProtocolError, RequestError, SessionEnded
from chatd.transport.eventloop import check_loop
from chatd.transport.flush import Turn
from chatd.transport.hooks import Hook, call_hook
from chatd.transport.identity import identify
from chatd.transport.life import Life
from chatd.transport.promise import Promise, fail_ended
from chatd.transport.protocol import ChatProtocol
from chatd.wire.messages import Error, Message, MessageType

__all__ = ["ClientSession", "SessionOwner"]

T = TypeVar("T")

_SILENT = frozenset({ErrorCode.HEARTBEAT_TIMEOUT, ErrorCode.HANDSHAKE_TIMEOUT})
"""The codes of sessions that this side ends because the server is silent."""
MAX_FETCHES = 100
"""Number of concurrent `history` commands at which no further gap is filled."""


class SessionOwner(Protocol):
    """The interface that a session needs of its factory."""

    clock: IReactorTime
    key: bytes | None
    progress: Progress
    turn: Turn

    def keep_name(self, name: str) -> None:
        """Ask for a name in the next connections."""

    def add(self, session: ClientSession) -> None:
        """Watch for silence of the session's server."""

    def remove(self, session: ClientSession) -> None:
        """Stop watching the session's server."""


class ClientSession(ClientHooks, ClientCommands, ChatProtocol):
    """The client's side of a session: sends requests, and acts on received frames.

    Each received message goes to the Deferred that waits for this answer, to the page of history
    that is being read, or to the program as a new message.

    Attributes:
        factory: The factory that built it.
        name: The name that the server gave this client.
        room: The first room that this client is in, if any.
        heartbeats: How many of the server's pings this client has answered.
    """

    log = Logger()
    connection: ClientConnection
    failed_reason = "the client failed"

    def __init__(self, connection: ClientConnection, factory: SessionOwner) -> None:
        ChatProtocol.__init__(self, connection, factory.turn, factory.clock, max_pending=None)
        ClientCommands.__init__(self, factory.progress)
        self.factory = factory
        self.name = ""
        self.room: str | None = None
        self.heartbeats = 0
        self._answers = PendingAnswers(factory.progress)
        self._outbox = Outbox(
            self,
            factory.clock,
            factory.progress,
            self._answers,
            ask=self._ask,
            wake=self._flush_later,
        )
        self._established: Milestone[None] = Milestone()
        self._ended: Milestone[SessionEnded] = Milestone()
        self._inbox = factory.progress.inbox or Inbox()
        self._refill = Refill(self, self._inbox, self._not_resumed)

    @property
    def is_active(self) -> bool:
        """Whether the session is established and not over."""
        return self.connection.is_established

    # From the transport and the connection

    def makeConnection(self, transport: ITransport) -> None:
        """Begin; end at once if a subclass prevents it, because the client would wait for ever."""
        super().makeConnection(transport)
        if self._life is Life.NEW:
            name = type(self).__qualname__
            self.failed_reason = f"{name}.connectionMade must call super().connectionMade()"
            self.log.error("{told}", told=self.failed_reason)
            self.fail(retry=False)

    def connectionMade(self) -> None:
        """Wait for the greeting."""
        if self.factory.key is None and identify(self.transport).is_clear_tcp:
            self.connection.withhold_password()
        super().connectionMade()

    def act_on(self, event: Event) -> None:
        """Act on an event of the connection."""
        if isinstance(event, Run):
            for message in event.messages:
                if not self.connection.is_over:  # acting on a message may end the session
                    self._act_on_message(message)
        elif isinstance(event, Message):
            self._act_on_frame(event)
        elif isinstance(event, Welcomed):
            self.name, self.room = event.name, event.room
            self.handshake_done()
            self.factory.add(self)
            resumed = Deferred.fromCoroutine(self._resume(event.rooms))
            resumed.addCallbacks(lambda _: self._ready(), self._not_resumed)
        elif isinstance(event, PingReceived):
            self.heartbeats += 1
            self.connection.answer(event)
        elif isinstance(event, RequestFaulted):
            self.connection.answer(event)
        elif isinstance(event, PongReceived):
            self._answers.take_pong(event.n, self._clock.seconds())

    def close_timeout_s(self) -> float:
        """Do not wait for a server that was silent for too long: it reads no goodbye either."""
        end, trigger = self.connection.end_reason, self.connection.end_trigger
        is_silent = trigger is Trigger.ENDED and end is not None and end.code in _SILENT
        return 0.0 if is_silent else super().close_timeout_s()

    def session_ended(self, end_reason: SessionEnded) -> None:
        """Fail all pending answers, and tell the program."""
        self.factory.remove(self)
        self._established.fail(end_reason)
        self._outbox.close()
        self._answers.fail(end_reason)
        self._refill.end()
        if not self._progress.is_kept:  # otherwise the next session fills it
            self.fetch_no_more()
            self._inbox.close(end_reason)
        self._call(self.ended, end_reason)

    def connection_closed(self) -> None:
        """Fire the Deferreds that wait for the connection's end."""
        self._ended.reach(self._end_reason)

    # For the commands, and for resuming

    def tell_joined(self, joined: Joined) -> None:
        """Tell the program of a room that it is in."""
        self._call(self.room_joined, joined)

    def tell_error(self, error: RequestError) -> None:
        """Tell the program of an error that answers no request."""
        self._call(self.error_received, error)

    def tell_held(self, refusal: RequestError) -> None:
        """Tell the program that its messages wait until the server can store them."""
        self._call(self.messages_held, refusal)

    def tell_released(self) -> None:
        """Tell the program that no message waits for the server any more."""
        self._call(self.messages_released)

    def tell_missed(self, room: str | None, other: str | None) -> None:
        """Tell the program that messages are missing."""
        self._progress.gaps += 1
        self._call(self.messages_missed, room, other)

    def fetch_no_more(self) -> None:
        """Tell the program that it does not get the messages that wait at the server."""
        for behind in self._inbox.overflow.clear():
            self.tell_missed(behind.room, behind.other)

    def receive_message(self, message: Message) -> None:
        """Take a message as a receipt if it is one, and tell the program if it is new."""
        answer = None
        # Another client's message may have the same id: only a message of this client is a receipt.
        is_own = message.seq is not None and fold(message.sender or "") == fold(self.name)
        if message.seq is None or is_own:
            answer = self._outbox.take(message.id, is_stored=True)
        is_news, gap = self._progress.take(message, self.name)
        if is_news:
            self._call(self.message_received, message, is_own or answer is not None)
        if gap is not None and answer is None and len(self._pages) < MAX_FETCHES:
            self._fill(gap)
        if answer is not None:
            answer.callback(message)

    def _give(
        self, command_id: str, command: str, fields: Mapping[str, object]
    ) -> Deferred[dict[str, Any]]:
        header = {**fields, "id": command_id, "command": command}
        return self._ask(command_id, Message(MessageType.COMMAND, header))

    def _take_name(self, name: str) -> None:
        old_name, self.name = self.name, name
        self.factory.keep_name(name)
        if fold(name) == fold(old_name):
            return
        if self._inbox.overflow.remove_direct():  # the new name has other direct messages
            self.tell_missed(None, None)
        if self._progress.is_kept:
            self._progress.direct.clear()
            self._progress.knows_direct = False
            learnt = Deferred.fromCoroutine(catch_up(self, self._progress, had_name=False))
            learnt.addErrback(self._not_resumed)

    def _ask(self, id: str, message: Message, answer: Deferred[Any] | None = None) -> Deferred[Any]:
        """Send a frame that the server answers.

        Args:
            id: The frame's id.
            message: The frame.
            answer: The Deferred that waits for the answer; None to make one.

        Raises:
            LocalProtocolError: The session has not begun, the frame cannot be sent, or the caller
                is in another event loop than the client.
        """
        check_loop(self._clock)
        if self._check_over():
            return fail_ended(Promise(), self._why_over())
        self._answers.check(id)
        self.connection.send(message.type, message.header, message.content)
        self._turn.add(self)
        return self._answers.add(id, answer, is_command=message.type == MessageType.COMMAND)

    def _check_over(self) -> bool:
        """Return whether the session is over.

        Raises:
            LocalProtocolError: The session has not begun, which is the caller's mistake.
        """
        if not self.is_active and not self.connection.is_over:
            raise LocalProtocolError("wait for the welcome first: when_established()")
        return self.connection.is_over

    # Internals

    async def _resume(self, rooms: Sequence[Mapping[str, Any]]) -> None:
        """Continue where the last session ended; see `chatd.client.resume`."""
        progress = self._progress
        await rejoin(self, progress, rooms)
        if progress.is_kept:
            self.factory.keep_name(self.name)
            await catch_up(self, progress, had_name=progress.was_connected)
        progress.was_connected = True
        self._outbox.open()

    def _ready(self) -> None:
        if self.room is None:  # the client has rejoined its rooms itself
            first = next(iter(self._progress.rooms.values()), None)
            self.room = None if first is None else first.name
        self._established.reach(lambda: None)
        self._refill.begin()
        self._call(self.established)

    def _not_resumed(self, failure: Failure) -> None:
        """End a session that cannot go on where the last one ended; the next one may."""
        error = failure.value
        if isinstance(error, RequestError):
            self.end_session(error.code, error.message, retry=True)
        elif not isinstance(error, SessionEnded):
            self._log_failure(failure, "resuming")
            self.end_session(ErrorCode.INTERNAL_ERROR, self.failed_reason, retry=True)

    def _fill(self, gap: Position) -> None:
        Deferred.fromCoroutine(fetch(self, gap)).addErrback(self._not_resumed)

    def _act_on_frame(self, frame: Message) -> None:
        header = frame.header
        if isinstance(header, Error):
            self._act_on_error(RequestError(header.code, header.message, ref=header.ref))
        else:
            assert isinstance(header, dict)
            if frame.type == MessageType.EVENT:
                if not self._passes(check_event, header):
                    return
                if header["event"] == "removed" and isinstance(header.get("room"), str):
                    self._progress.left(header["room"])
                self._call(self.event_received, header)
            else:
                self._act_on_result(header)

    def _passes(self, check: Callable[[T], None], told: T) -> bool:
        """Return whether a check passes; if not, answer the server as for any malformed frame."""
        try:
            check(told)
        except RequestError as error:
            self.act_on(RequestFaulted(error))
            return False
        return True

    def _act_on_message(self, message: Message) -> None:
        if not self._passes(check_message, message):
            return
        page = self._pages.get(message.ref)
        if message.ref is not None:  # the program gets the same message as all other clients
            message = message.with_ref(None)
        if page is None:
            self.receive_message(message)
            return
        page.add(message)
        if page.is_over:
            why = "the server's answer is larger than requested"
            self.end_session(ErrorCode.SLOW_CONSUMER, why, retry=True)

    def _act_on_result(self, result: dict[str, Any]) -> None:
        command_id = result["id"]
        self._pages.end(command_id)
        answer = self._answers.take_result(command_id)
        if answer is not None:
            answer.callback(result)
            return
        receipt = self._outbox.take(command_id)
        if receipt is not None:
            text = "the server's answer is not understood: it has a result for a message"
            receipt.errback(RequestError(ErrorCode.BAD_REQUEST, text, ref=command_id))

    def _act_on_error(self, error: RequestError) -> None:
        self._pages.end(error.ref)
        if self._outbox.take_refusal(error):
            return
        answer = self._answers.take_result(error.ref) or self._outbox.take(error.ref)
        if answer is None:
            self.tell_error(error)
        else:
            answer.errback(error)

    def _call(self, hook: Hook, *args: object) -> None:
        """Call a hook; log its failure, and go on."""
        call_hook(self._log_failure, getattr(hook, "__name__", repr(hook)), hook, *args)

    def _log_failure(self, failure: Failure, about: str) -> None:
        if failure.check(RequestError):
            self.log.warn("{about}: {error}", about=about, error=failure.value)
        elif not (failure.check(SessionEnded) and self.connection.is_over):
            self.log.failure("{about} failed", failure=failure, about=about)

    def _why_over(self) -> SessionEnded:
        """Return the reason for a caller who comes after the end."""
        end = self._end_reason()
        if end.is_clean and self.connection.end_trigger is Trigger.ENDED:
            return SessionEnded(end.code, "this client has left: disconnect() was called")
        return end

    def _end_reason(self) -> SessionEnded:
        reason = self.connection.end_reason
        assert reason is not None  # the session is over
        return reason.again()
