"""`ServerProtocol`: the server's side of a connection, built by `ChatFactory`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatd.connection.events import (
    AdmissionAsked,
    Event,
    Faulted,
    PingReceived,
    PongReceived,
    RequestFaulted,
    Run,
)
from chatd.errors import ErrorCode, RequestError, SessionEnded
from chatd.server.inwork import InWork
from chatd.server.pacedprotocol import PacedProtocol
from chatd.server.session import Session
from chatd.transport.hooks import call_hook
from chatd.transport.life import Life
from chatd.transport.protocol import HOLD_PENDING
from chatd.wire.messages import Message, MessageType

if TYPE_CHECKING:
    from chatd.server.factory import ChatFactory

__all__ = ["ServerProtocol"]

_OPEN = Life.OPEN  # a cheaper lookup, needed once for each read


class ServerProtocol(PacedProtocol):
    """The server's side of one connection; built by `ChatFactory`."""

    __slots__ = ("_has_noted_error", "_in_work", "_takes_runs")

    def __init__(self, factory: ChatFactory[Any]) -> None:
        super().__init__(factory)
        self._in_work = InWork(factory.limits)
        self._takes_runs = False
        self._has_noted_error = False

    def begin_run(self) -> tuple[int, int]:
        """Ask the factory whether it takes runs, and return how much of one may still be read.

        A hook gets single messages.
        """
        session = self.session
        if session is None:
            return 1, 0
        self._takes_runs = self.factory.takes_runs
        return self._in_work.left(session.answers) if self._takes_runs else (1, 0)

    def begin_answers(self) -> bool:
        """Start storing if messages of the client wait for it; return whether any still wait."""
        session = self.session
        if session is not None and session.answers.owed:
            self._engine.hub.commits.begin()
            return session.answers.owed > 0
        return False

    def act_on(self, event: Event) -> Deferred[None] | None:
        """Act on an event.

        Messages, pings and faulty requests are processed at once. All other events wait until the
        client's earlier messages have their answers.
        """
        if isinstance(event, Run):
            return self._act_on_run(event)
        if isinstance(event, (PingReceived, PongReceived, RequestFaulted)):
            return self._answer(event)
        waiting = self._until_answered()
        if waiting is None:
            return self._act_on_other(event)
        return waiting.addCallback(lambda _: self._act_later(event))

    def all_answered(self) -> None:
        """Go on: all messages of the client have their answers."""
        self._turn.add(self)
        self._in_work.answered()

    # Within

    def _flush_later(self) -> None:
        connection = self.connection
        if connection.bytes_to_send or self._life is not _OPEN or not connection.is_established:
            self._turn.add(self)

    def _answer(self, event: PingReceived | PongReceived | RequestFaulted) -> Deferred[None] | None:
        """Answer a frame at once; a pong only counts."""
        if isinstance(event, PingReceived):
            self._deliver_early()
            self.connection.answer(event)
        elif isinstance(event, RequestFaulted):
            self._answer_fault(event.error)
        return self._pace_answers()

    def _act_later(self, event: Event) -> Deferred[None] | None:
        """Act on a delayed event, unless the session has ended."""
        return None if self.connection.is_over else self._act_on_other(event)

    def _act_on_other(self, event: Event) -> Deferred[None] | None:
        if isinstance(event, Message):
            if event.type == MessageType.COMMAND:
                asked = self._engine.command_budget.ask()
                if asked is None:
                    return self._act_on_command(event)
                return asked.addCallback(
                    lambda _: None if self.connection.is_over else self._act_on_command(event)
                )
            self._note_client_error(event)
            return self._pace_answers()
        if isinstance(event, AdmissionAsked):
            return self.ask_admission(event.ack)
        if isinstance(event, Faulted):
            self._deliver_early()
            self.connection.end_faulty()
            self._turn.add(self)
        return None

    def _note_client_error(self, error: Message) -> None:
        """Log the code of a client's first ERROR; its text may quote a message."""
        if not self._has_noted_error:
            self._has_noted_error = True
            self._log_client_error(getattr(error.header, "code", ""))

    def _pace_answers(self) -> Deferred[None] | None:
        """Pause after many answers, for other clients' turn; before a session, end instead."""
        if not self._pace.count_answer():
            return None
        if self.connection.is_established:
            return self._pace.wait()
        reason = "too many frames arrived before the session began"  # no client needs so many
        self.end_session(ErrorCode.OVERLOADED, reason)
        return None

    def _act_on_run(self, run: Run) -> Deferred[None] | None:
        session = self.session
        assert session is not None
        self._pace.count_messages(len(run.messages))
        if not self._takes_runs:
            (message,) = run.messages
            return self._act_on_message(session, message)
        self._engine.hub.say(session, run.messages)
        self._turn.schedule()
        return self._bound_work(session)

    def _act_on_message(self, session: Session, message: Message) -> Deferred[None] | None:
        """Call the service's own `message_received`."""
        self.unanswered = message
        hook = self.factory.message_received
        work = call_hook(self._refuse, message, hook, session, message)
        if work is None:
            return self._message_done(session)
        return work.addCallback(lambda _: self._message_done(session))

    def _message_done(self, session: Session) -> Deferred[None] | None:
        """Note a service that has not answered the message; then bound the work as after a run."""
        if self.unanswered is not None and not self.connection.is_over:
            self._engine.unanswered.note(self.factory.message_received)
            self.answers_late = True
        self.unanswered = None
        return self._bound_work(session)

    def _bound_work(self, session: Session) -> Deferred[None] | None:
        """Return a Deferred that fires when the client's next message may be read; None for now."""
        return self._until_answered() if self._in_work.is_too_much(session.answers) else None

    def _act_on_command(self, command: Message) -> Deferred[None] | None:
        self.unanswered = command
        hook, began = self.factory.command_received, self._clock.seconds()
        work = call_hook(self._refuse, command, hook, self.session, command)
        took_s = self._clock.seconds() - began
        self._engine.command_budget.spend(took_s)
        if work is None:
            return self._command_done(took_s)
        return work.addCallback(lambda _: self._command_done(0.0))

    def _command_done(self, took_s: float) -> Deferred[None] | None:
        """Return a Deferred that fires when the client's next command may run; None for now.

        The client must read the results first, and other clients have their turn.
        """
        if not self.connection.is_established:
            return None
        if self.unanswered is not None:
            self._engine.unanswered.note_command(self.factory.command_received)
            self.unanswered = None
        waiting = self._pace.count_command(took_s)
        if waiting is None:
            return self._until_drained()
        return waiting.addCallback(lambda _: self._until_drained())

    def _until_drained(self) -> Deferred[None] | None:
        if self.connection.bytes_to_send <= HOLD_PENDING or not self.connection.is_established:
            return None
        return self.when_drained().addErrback(lambda failure: failure.trap(SessionEnded) and None)

    def _until_answered(self) -> Deferred[None] | None:
        """Start storing; return a Deferred that fires when all have answers, None if they do."""
        return self._in_work.when_answered() if self.begin_answers() else None

    def _answer_fault(self, error: RequestError) -> None:
        """Answer a faulty request with an ERROR, after the answers to earlier messages."""
        if self.session is None:
            self.connection.send_error(error)
        else:
            self._engine.hub.refuse(self.session, error)
        self._turn.add(self)

    def _refuse(self, failure: Failure, message: Message) -> None:
        """Answer a hook's exception with an ERROR."""
        is_answered, self.unanswered = self.unanswered is None, None
        if failure.check(SessionEnded) and (is_answered or self.connection.is_over):
            return  # the hook sent to a session that has ended
        is_command = message.type == MessageType.COMMAND
        error = self._told_of(failure, "command_received" if is_command else "message_received")
        # Not the error's own `ref`: an error of another server names a message of that server.
        ref = message.header["id"] if isinstance(message.header, dict) else message.id
        self._answer_fault(RequestError(error.code, error.message, ref=ref))
