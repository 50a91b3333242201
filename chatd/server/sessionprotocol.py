"""`SessionProtocol`: greets a client, admits or refuses it, and ends its session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.arguments import check_initialised
from chatd.connection.server import ServerConnection
from chatd.errors import ErrorCode, RequestError, SessionEnded
from chatd.server.admission import RETRIED, Applicant
from chatd.server.session import Session
from chatd.transport.hooks import FAILED, call_hook
from chatd.transport.identity import LOCAL, identify
from chatd.transport.lifecycle import READ_BYTES
from chatd.transport.protocol import ChatProtocol
from chatd.transport.streams import has_hung_up
from chatd.wire.large import Frame
from chatd.wire.messages import Message, SessionAck

if TYPE_CHECKING:
    from chatd.server.factory import ChatFactory

__all__ = ["EARLY_BYTES", "SessionProtocol"]

EARLY_BYTES = 4 * 1024
"""How many bytes are read at once before the session."""


class SessionProtocol(ChatProtocol):
    """Begins and ends a session; `ServerProtocol` acts on the client's frames in it.

    Args:
        factory: The server.

    Attributes:
        session: The established session; None before.
        unanswered: The message that the service acts on, until it has an answer.
    """

    # All attributes would be 30. From CPython 3.11 on, a dictionary of 30 takes 1.3 KiB more.
    __slots__ = ("_address", "_engine", "_wanted_name", "answers_late", "session", "unanswered")

    log = Logger()
    connection: ServerConnection

    def __init__(self, factory: ChatFactory[Any]) -> None:
        # One message of any allowed size may wait on top of `max_waiting`.
        max_pending = factory.limits.max_waiting + factory.codec.max_frame
        super().__init__(None, factory.engine.turn, factory.clock, max_pending)
        self.factory: ChatFactory[Any] = factory
        self.session: Session | None = None
        self.unanswered: Message | None = None
        self.answers_late = False
        self._engine = factory.engine
        self._address = LOCAL
        self._wanted_name: str | None = None

    def connectionMade(self) -> None:
        """Greet the client."""
        identity = identify(self.transport)
        self._address = identity.address
        takes_passwords = self._engine.admission.takes_passwords(identity)
        self.connection = self._engine.greeter.greet(takes_passwords=takes_passwords)
        self._engine.shedder.connected(self, identity.address)
        super().connectionMade()
        self.read_at_once(EARLY_BYTES)

    def peer_told(self) -> None:
        """Note that a proxy has told the client's address."""
        self._engine.connections.identified(self, identify(self.transport).address)

    def tick(self, now: float) -> None:
        """Let time pass; if that ends the session, send earlier broadcasts first."""
        self._deliver_early()
        super().tick(now)

    def connection_closed(self) -> None:
        """Forget the connection."""
        self._engine.connections.disconnected(self)
        self._engine.shutdown.check()

    def session_ended(self, end_reason: SessionEnded) -> None:
        """Remove the session from the chat, and call its `ended`."""
        session = self.session
        self._engine.shedder.ended(self, is_gone=self.is_gone)
        self._log_end(end_reason)
        if session is None:
            self._engine.admission.withdraw(self.connection.session_id)
            return
        self._engine.registry.remove(session, is_silent=self._engine.shutdown.is_under_way)
        call_hook(self.log_failure, "ended", session.ended, end_reason)

    def end_session(self, code: str, reason: str, *, retry: bool = False) -> None:
        """Send the reason, after all earlier broadcasts; flush and close."""
        self._deliver_early()
        super().end_session(code, reason, retry=retry)

    def all_answered(self) -> None:
        """Go on: all messages of the client have their answers."""
        raise NotImplementedError

    def room_joined(self, room: str) -> None:
        """Call the session's hook."""
        if self.session is not None:
            call_hook(self.log_failure, "room_joined", self.session.room_joined, room)

    def room_left(self, room: str) -> None:
        """Call the session's hook."""
        if self.session is not None:
            call_hook(self.log_failure, "room_left", self.session.room_left, room)

    def send_frame(self, frame: Frame) -> None:
        """Queue a frame for this session alone, after all earlier broadcasts."""
        self._deliver_early()
        self.deliver(frame)

    def send_error(self, error: RequestError) -> None:
        """Queue an ERROR, unless the session is over."""
        if self.connection.takes_frames:
            self._deliver_early()
            self.connection.send_error(error)
            self._turn.add(self)

    def log_failure(self, failure: Failure, about: str) -> None:
        """Log an unexpected failure; the end of the session is not unexpected."""
        if failure.check(SessionEnded) and self.connection.is_over:
            return
        self.log.failure("{who}: {about} failed", failure=failure, who=self, about=about)

    # Admission

    def ask_admission(self, ack: SessionAck) -> Deferred[None] | None:
        """Admit or refuse a client; return a Deferred, or None if that is done at once."""
        self._wanted_name = ack.name
        return call_hook(self._refuse_admission, ack, self._admit, ack)

    async def _admit(self, ack: SessionAck) -> None:
        """Begin the session of an admitted client, unless the client has left by then."""
        factory, session_id = self.factory, self.connection.session_id
        applicant = Applicant(
            session_id, ack.name, ack.password, ack.rooms, identify(self.stream), self._is_there
        )
        admitted = await self._engine.admission.admit(applicant)
        try:
            session = factory.session_class(self, session_id, admitted.name)
            check_initialised(session, "extra", "protocol, id, name")
        except BaseException:
            self._engine.admission.release(admitted)
            raise
        if self.connection.is_over:
            self._engine.admission.release(admitted)
            return
        session.address = admitted.address
        session.has_account = admitted.has_account
        self.session = session
        self.connection.admit(session.name, [room.standing() for room in admitted.rooms])
        self._engine.registry.add(session, admitted.rooms)
        self.handshake_done()
        self.read_at_once(READ_BYTES)
        self._engine.session_log.established(self, session.address, session.name)
        work = call_hook(self.log_failure, "established", session.established)
        if work is not None:
            await work
        self._engine.registry.active(session)

    def _refuse_admission(self, failure: Failure, _: SessionAck) -> None:
        if failure.check(CancelledError) and not self._is_there():
            return  # no client is left to refuse; an open connection ends at its next read
        error = self._told_of(failure, "admission")
        self.connection.refuse(error.code, error.message, retry=error.code in RETRIED)
        self.flush()  # now: reading goes on to the end of the connection only after this

    def _is_there(self) -> bool:
        """Return whether the client still waits for its answer.

        Reading pauses until then, so this asks the system whether the client has hung up.
        """
        return not (self.connection.is_over or has_hung_up(self.stream))

    # Within

    def _log_end(self, end_reason: SessionEnded) -> None:
        session = self.session
        self._engine.session_log.over(
            self,
            end_reason,
            self.connection.end_trigger,
            address=self._known_address() if session is None else session.address,
            name=(self._wanted_name or "") if session is None else session.name,
            was_established=session is not None,
        )

    def _log_client_error(self, code: str) -> None:
        session = self.session
        self._engine.session_log.client_error(
            self,
            code,
            address=self._known_address() if session is None else session.address,
            is_established=session is not None,
        )

    def _known_address(self) -> str:
        """Return the client's address, also after the connection is closed."""
        address = identify(self.stream).address  # a proxy may have told it after the beginning
        return self._address if address == LOCAL else address  # a closed socket has no user

    def _deliver_early(self) -> None:
        if self.session is not None:
            self._turn.deliver_early(self.session)

    def _told_of(self, failure: Failure, about: str) -> RequestError:
        """Return the error for the client; log a failure that is not a `RequestError`."""
        error = failure.value
        if not isinstance(error, RequestError):
            self.log_failure(failure, about)
            error = RequestError(ErrorCode.INTERNAL_ERROR, FAILED)
        return error

    def __str__(self) -> str:
        name = "" if self.session is None else f" {self.session.name}"
        return f"session {self.connection.session_id}{name}"
