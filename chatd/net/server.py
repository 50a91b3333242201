"""The server's side of a connection: the protocol that `ChatFactory` builds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.chat.rooms import LOBBY
from chatd.errors import ErrorCode, RequestError, SessionEnded
from chatd.net.hooks import Hook, call_hook
from chatd.net.protocol import MAX_PENDING, ChatProtocol
from chatd.net.session import Session
from chatd.session.events import AdmissionAsked, Event, Faulted
from chatd.session.server import ServerConnection
from chatd.wire.messages import Message, MessageType, SessionAck

if TYPE_CHECKING:
    from chatd.net.factory import ChatFactory

__all__ = ["ServerProtocol"]

_FAILED = "the server failed; see its log"


class ServerProtocol(ChatProtocol):
    """The server's side of one connection; built by `ChatFactory`."""

    log = Logger()
    connection: ServerConnection

    def __init__(self, factory: ChatFactory, connection: ServerConnection) -> None:
        # One message of any size that is allowed may wait, on top of what usually does.
        max_pending = MAX_PENDING + factory.codec.max_frame
        super().__init__(connection, factory.turn, factory.clock, max_pending)
        self.factory: ChatFactory = factory
        self._session: Session | None = None

    def connectionMade(self) -> None:
        """Greet."""
        self.factory.connected(self)
        super().connectionMade()

    def connection_closed(self) -> None:
        """Forget the connection."""
        self.factory.disconnected(self)

    def act_on(self, event: Event) -> Deferred[None] | None:
        """Hand a message to the factory, admit a client, log a fault."""
        if isinstance(event, Message):
            if event.type == MessageType.MESSAGE:
                hook: Hook = self.factory.message_received
            elif event.type == MessageType.COMMAND:
                hook = self.factory.command_received
            else:  # an ERROR: the client did not like what it got, and says so
                self.log.debug("{who}: client's error: {error}", who=self, error=event.header)
                return None
            return call_hook(hook, self._session, event, failed=self._refuse, about=event)
        if isinstance(event, AdmissionAsked):
            return self._admit(event.ack)
        if isinstance(event, Faulted):
            self.log.warn(
                "{who}: {code}: {error}", who=self, code=event.error.code, error=event.error
            )
        return None

    def session_ended(self, end_reason: SessionEnded) -> None:
        """Take the session out of the chat, and call its `ended`."""
        session = self._session
        if session is None:
            self.log.info(
                "{who}: not established from {peer}: {reason!r}",
                who=self,
                peer=self.stream.getPeer(),
                reason=end_reason,
            )
            return
        self.factory.remove(session)
        self.log.info("{who}: ended: {reason!r}", who=self, reason=end_reason)
        call_hook(session.ended, end_reason, failed=self._log_failure, about="ended")

    def send_frame(self, frame: bytes) -> None:
        """Queue a frame for this session alone, after what was broadcast before it."""
        self._turn.settle()
        self.deliver(frame)

    def __str__(self) -> str:
        name = "" if self._session is None else f" {self._session.name}"
        return f"session {self.connection.session_id}{name}"

    def _admit(self, ack: SessionAck) -> Deferred[None] | None:
        try:
            name = self.factory.names.claim(ack.name, self.connection.session_id.replace("-", ""))
        except RequestError as error:
            self.connection.refuse(error.code, error.message)
            return None
        try:
            session = self.factory.session_class(self, self.connection.session_id, name)
        except Exception:
            self._log_failure(Failure(), "session_class")
            self.factory.names.release(name)
            self.connection.refuse(ErrorCode.INTERNAL_ERROR, _FAILED)
            return None
        self._session = session
        self.connection.admit(name, LOBBY)
        self.handshake_done()
        self.factory.add(session)
        self.log.info("{who}: established from {peer}", who=self, peer=session.peer)
        work = call_hook(session.established, failed=self._log_failure, about="established")
        if work is None:
            self.factory.arrivals.tell(session)
        else:
            work.addCallback(lambda _: self.factory.arrivals.tell(session))
        return work

    def _refuse(self, failure: Failure, message: Message) -> None:
        """Answer what a hook raised with an ERROR; what it did not raise on purpose is logged."""
        error = failure.value
        if isinstance(error, SessionEnded):  # it spoke to a session that is gone
            return
        if not isinstance(error, RequestError):
            is_command = message.type == MessageType.COMMAND
            self._log_failure(failure, "command_received" if is_command else "message_received")
            error = RequestError(ErrorCode.INTERNAL_ERROR, _FAILED)
        if not self.connection.takes_frames:
            return
        ref = error.ref
        if ref is None:
            ref = message.header["id"] if isinstance(message.header, dict) else message.id
        self.connection.send_error(RequestError(error.code, error.message, ref=ref))
        self._turn.add(self)

    def _log_failure(self, failure: Failure, about: str) -> None:
        self.log.failure("{who}: {about} failed", failure=failure, who=self, about=about)
