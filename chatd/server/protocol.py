"""The server's side of a connection: the protocol that `ChatFactory` builds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.connection.events import AdmissionAsked, Event, Faulted, PingReceived, RequestFaulted
from chatd.connection.server import ServerConnection
from chatd.errors import ErrorCode, RequestError, SessionEnded
from chatd.server.pace import Pace
from chatd.server.session import Session
from chatd.transport.hooks import FAILED, call_hook
from chatd.transport.protocol import HOLD_PENDING, ChatProtocol
from chatd.transport.streams import peer_of
from chatd.wire.messages import MESSAGE_TYPE, Message, MessageType

if TYPE_CHECKING:
    from chatd.chat.rooms import Room
    from chatd.server.factory import ChatFactory

__all__ = ["ServerProtocol"]

MAX_SAID_IN_TURN = 1_000
"""How much may be said in a turn, by all clients, before it ends early."""


class ServerProtocol(ChatProtocol):
    """The server's side of one connection; built by `ChatFactory`."""

    log = Logger()
    connection: ServerConnection

    def __init__(self, factory: ChatFactory) -> None:
        limits = factory.limits
        # One message of any size that is allowed may wait, on top of what usually does.
        max_pending = limits.max_waiting + factory.codec.max_frame
        super().__init__(None, factory.turn, factory.clock, max_pending)
        self.factory: ChatFactory = factory
        self.session: Session | None = None
        self._answering: Deferred[None] | None = None
        self._in_work_bytes = 0
        self._max_in_work = limits.max_in_work
        self._max_in_work_bytes = limits.max_in_work_bytes
        self._held_bytes = 0
        self._pace = Pace(factory.clock, limits)

    def connectionMade(self) -> None:
        """Greet."""
        self.connection = self.factory.connected(self)
        super().connectionMade()

    def peer_told(self) -> None:
        """Note that it is known now who is there: a proxy has told."""
        self.factory.identified(self)

    def dataReceived(self, data: bytes) -> None:
        """Act on what arrived, and end the turn when much was said: others wait for its end."""
        self._pace.count_data(len(data))
        super().dataReceived(data)
        self._note_held()
        if self.factory.hub.commits.ready >= MAX_SAID_IN_TURN:
            self._turn.flush()

    def throttle(self) -> Deferred[None] | None:
        """Read nothing for a while from a client that sends more than its share."""
        self._note_held()
        return self._pace.throttle()

    def tick(self, now: float) -> None:
        """Let the time pass; where that ends the session, all that was broadcast comes before."""
        self._deliver_early()
        super().tick(now)

    def flush(self) -> None:
        """Write what was queued: a turn is over."""
        self._pace.begin_turn()
        super().flush()

    def connection_closed(self) -> None:
        """Forget the connection."""
        self._pace.stop()
        self.factory.disconnected(self)

    def owes_answers(self) -> bool:
        """Say whether something that the client said waits for the store."""
        session = self.session
        if session is not None and session.answers.owed:
            self.factory.hub.commits.begin()
            return session.answers.owed > 0
        return False

    def act_on(self, event: Event) -> Deferred[None] | None:
        """Hand a message to the factory, answer a ping; all else waits for what was said."""
        if isinstance(event, Message) and event.type == MESSAGE_TYPE:
            self._pace.count_message()
            hook = self.factory.message_received
            work = call_hook(self._refuse, event, hook, self.session, event)
            return self._until_answered() if work is None and self._waits_for_much(event) else work
        if isinstance(event, PingReceived):
            self._deliver_early()
            self.connection.answer(event)
            return self._pace_answers()
        if isinstance(event, RequestFaulted):
            self._answer_fault(event.error)
            return self._pace_answers()
        waiting = self._until_answered()
        if waiting is None:
            return self._act_on_other(event)
        return waiting.addCallback(lambda _: self._act_later(event))

    def begin_session(
        self, session: Session, rooms: Sequence[Room[Session]]
    ) -> Deferred[None] | None:
        """Welcome a client that may come in, and begin its session, unless it is gone.

        Args:
            session: The session.
            rooms: The rooms that were opened for it.

        Returns:
            A Deferred that fires when the session's own `established` is done, or None where it is.
        """
        factory = self.factory
        if self.connection.is_over:
            factory.hub.roster.close_all(rooms)
            factory.hub.roster.names.release(session.name)
            return None
        self.session = session
        self.connection.admit(
            session.name,
            [room.standing() for room in rooms],
        )
        factory.add(session, rooms)
        self.handshake_done()
        self.log.info("{who}: established from {peer}", who=self, peer=session.peer)
        work = call_hook(self.log_failure, "established", session.established)
        if work is None:
            factory.waiters.tell(session)
        else:
            work.addCallback(lambda _: factory.waiters.tell(session))
        return work

    def all_answered(self) -> None:
        """Go on: all that the client said has its answer."""
        self._in_work_bytes = 0
        self._turn.add(self)
        answering, self._answering = self._answering, None
        if answering is not None:
            answering.callback(None)

    def session_ended(self, end_reason: SessionEnded) -> None:
        """Take the session out of the chat, and call its `ended`."""
        session = self.session
        self.factory.ended(self, is_gone=self.is_gone)
        if session is None:
            self.log.info(
                "{who}: not established from {peer}: {reason!r}",
                who=self,
                peer=peer_of(self.stream),
                reason=end_reason,
            )
            self.factory.admission.ended(self)
            return
        self.factory.remove(session)
        self.log.info("{who}: ended: {reason!r}", who=self, reason=end_reason)
        call_hook(self.log_failure, "ended", session.ended, end_reason)

    def end_session(self, code: str, reason: str, *, retry: bool = False) -> None:
        """Say why, after all that was broadcast; flush and close."""
        self._deliver_early()
        super().end_session(code, reason, retry=retry)

    def send_frame(self, frame: bytes) -> None:
        """Queue a frame for this session alone, after what was broadcast before it."""
        self._deliver_early()
        self.deliver(frame)

    def send_error(self, error: RequestError) -> None:
        """Queue an ERROR, unless the session is over."""
        if self.connection.takes_frames:
            self._deliver_early()
            self.connection.send_error(error)
            self._turn.add(self)

    def log_failure(self, failure: Failure, about: str) -> None:
        """Log what failed and should not have."""
        self.log.failure("{who}: {about} failed", failure=failure, who=self, about=about)

    # Within

    def _note_held(self) -> None:
        """Tell what has arrived and was not acted on, where that is not what it was."""
        connection = self.connection
        # What waits for the store or a hook is no fault of the peer's, and no more than one read.
        is_its_own = self._work is None or self._pace.is_waiting
        held_bytes = connection.held_bytes if is_its_own else connection.gathered_bytes
        if held_bytes != self._held_bytes:
            self._held_bytes = held_bytes
            self.factory.arriving(self, held_bytes)

    def _act_later(self, event: Event) -> Deferred[None] | None:
        """Act on what waited, unless the session has ended meanwhile."""
        return None if self.connection.is_over else self._act_on_other(event)

    def _act_on_other(self, event: Event) -> Deferred[None] | None:
        if isinstance(event, Message):
            if event.type == MessageType.COMMAND:
                asked = self.factory.command_budget.ask()
                if asked is None:
                    return self._act_on_command(event)
                return asked.addCallback(
                    lambda _: None if self.connection.is_over else self._act_on_command(event)
                )
            # an ERROR: the client did not like what it got; what it says may quote it
            code = getattr(event.header, "code", "")
            self.log.debug("{who}: client's error: {code!r}", who=self, code=code)
        elif isinstance(event, AdmissionAsked):
            return self.factory.admission.admit(self, event.ack)
        elif isinstance(event, Faulted):
            self.log.warn(
                "{who}: {code}: {error}", who=self, code=event.error.code, error=event.error
            )
            self._deliver_early()
            self.connection.end_faulty()
            self._turn.add(self)
        return None

    def _pace_answers(self) -> Deferred[None] | None:
        """Let others have their turn after some answers to one client."""
        if not self._pace.count_answer():
            return None
        if self.connection.is_established:
            return self._pace.wait()
        reason = "too many frames came before there was a session"  # nobody needs so many
        self.end_session(ErrorCode.OVERLOADED, reason)
        return None

    def _act_on_command(self, command: Message) -> Deferred[None] | None:
        hook, began = self.factory.command_received, self._clock.seconds()
        work = call_hook(self._refuse, command, hook, self.session, command)
        took_s = self._clock.seconds() - began
        self.factory.command_budget.spend(took_s)
        if work is None:
            return self._command_done(took_s)
        return work.addCallback(lambda _: self._command_done(0.0))

    def _command_done(self, took_s: float) -> Deferred[None] | None:
        """Let the client read what a command brought, and others have their turn."""
        if not self.connection.is_established:
            return None
        waiting = self._pace.count_command(took_s)
        if waiting is None:
            return self._until_drained()
        return waiting.addCallback(lambda _: self._until_drained())

    def _until_drained(self) -> Deferred[None] | None:
        if self.connection.bytes_to_send <= HOLD_PENDING or not self.connection.is_established:
            return None
        return self.when_drained().addErrback(lambda failure: failure.trap(SessionEnded) and None)

    def _until_answered(self) -> Deferred[None] | None:
        """Wait until all that the client said has its answer; None where it has."""
        if not self.owes_answers():
            return None
        self._answering = Deferred()
        return self._answering

    def _waits_for_much(self, message: Message) -> bool:
        """Count a message in, and say whether too much of what was said waits for its answer."""
        session = self.session
        if session is None or not session.answers.owed:
            return False
        self._in_work_bytes += len(message.content)
        return (
            session.answers.owed >= self._max_in_work
            or self._in_work_bytes >= self._max_in_work_bytes
        )

    def _deliver_early(self) -> None:
        if self.session is not None:
            self._turn.deliver_early(self.session)

    def _answer_fault(self, error: RequestError) -> None:
        """Answer a fault in what was asked, after the answers to what was said before."""
        if self.session is None:
            self.connection.send_error(error)
        else:
            self.factory.hub.refuse(self.session, error)
        self._turn.add(self)

    def _refuse(self, failure: Failure, message: Message) -> None:
        """Answer what a hook raised with an ERROR; what it did not raise on purpose is logged."""
        error = failure.value
        if isinstance(error, SessionEnded):  # it spoke to a session that is gone
            return
        if not isinstance(error, RequestError):
            is_command = message.type == MessageType.COMMAND
            self.log_failure(failure, "command_received" if is_command else "message_received")
            error = RequestError(ErrorCode.INTERNAL_ERROR, FAILED)
        ref = error.ref
        if ref is None:
            ref = message.header["id"] if isinstance(message.header, dict) else message.id
        self._answer_fault(RequestError(error.code, error.message, ref=ref))

    def __str__(self) -> str:
        name = "" if self.session is None else f" {self.session.name}"
        return f"session {self.connection.session_id}{name}"
