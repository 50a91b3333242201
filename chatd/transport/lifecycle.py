"""`LifecycleProtocol`: the transport of a session, from its beginning to its end."""

from __future__ import annotations

from typing import cast

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
    ITransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.connection.connection import Connection
from chatd.errors import ErrorCode, SessionEnded
from chatd.transport.closing import CLOSE_TIMEOUT_S, Closing
from chatd.transport.flush import Turn
from chatd.transport.hooks import FAILED
from chatd.transport.life import OVER, Life, Trigger, advance
from chatd.transport.loss import why_lost
from chatd.transport.outbuffer import OutBuffer
from chatd.transport.reading import Reading, Reason
from chatd.transport.streams import StreamTransport
from chatd.transport.timer import Timer
from chatd.transport.writers import writer_for

__all__ = ["LifecycleProtocol"]

READ_BYTES = 120 * 1024
"""Maximum read from a socket in a turn, in bytes; chatd flushes the answers to a read together.
Twisted also pauses a producer when this many bytes wait to be written. TLS and proxies keep
Twisted's 64 KiB."""


@implementer(IPushProducer, IHalfCloseableProtocol)
class LifecycleProtocol(Protocol):
    """Begins, half-closes, closes and aborts a transport; `ChatProtocol` moves the bytes.

    Attributes:
        connection: This side of the session.
        failed_reason: The text for the peer if this side fails.
    """

    log = Logger()
    connection: Connection
    failed_reason = FAILED

    def __init__(self, turn: Turn, clock: IReactorTime) -> None:
        self._turn = turn
        self._clock = clock
        self._life = Life.NEW
        self._handshake_timer = Timer(clock)
        self._closing: Closing | None = None

    # From the transport

    def makeConnection(self, transport: ITransport) -> None:
        """Begin; an exception ends the session, because not every transport closes by itself."""
        self.stream = cast(StreamTransport, transport)
        self._reading = Reading(self.stream)
        try:
            super().makeConnection(transport)
        except Exception:
            self.log.failure("a connection failed")
            self.fail()

    def connectionMade(self) -> None:
        """Send the greeting, and start the timer of the handshake."""
        assert self.transport is not None
        set_no_delay = getattr(self.transport, "setTcpNoDelay", None)
        if set_no_delay is not None:
            set_no_delay(True)
        self.read_at_once(READ_BYTES)
        self._writer = writer_for(self.stream)
        self._outbuffer = OutBuffer(self._writer, self.connection.seal_into)
        self._life = advance(self._life, Trigger.BEGUN)
        self.stream.registerProducer(self, True)
        self._handshake_timer.start(self.connection.handshake_timeout_s, self._tick_now)
        self.flush()

    def readConnectionLost(self) -> None:
        """Send the answers that are still due, then close: the peer sends no more, but may read."""
        self._life = advance(self._life, Trigger.PEER_FINISHED)
        self._reading.stop()
        if self._life in OVER:
            self._close_when_written()
        elif not self.begin_answers():  # else the flush of the last answer closes
            self._finish_half_closed()

    def writeConnectionLost(self) -> None:
        """Do nothing: the peer closes its half, too."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Record the end of the transport, and report the end of the session."""
        before = self._life
        if before is Life.GONE:
            return
        self._life = advance(before, Trigger.LOST)
        self._stop_timers()
        self._reading.stop()
        if before not in (Life.NEW, Life.FAILED):
            self._outbuffer.discard()
        try:
            self.connection.connection_lost(why_lost(reason))
            self.connection.forget_keys()  # the garbage collector may find this much later
            if before not in OVER:
                self._tell_end()
        finally:
            self.connection_closed()

    def pauseProducing(self) -> None:
        """Hold back bytes to send: the peer does not read fast enough."""
        self._outbuffer.pause()

    def resumeProducing(self) -> None:
        """Send the bytes that were held back."""
        self._outbuffer.resume()
        self._proceed_later()
        if self._life in OVER:
            self._close_when_written()
        elif self._outbuffer.is_open:
            self._reading.resume(Reason.FLOODED)
            self._turn.add(self)

    def stopProducing(self) -> None:
        """Stop sending: the transport has ended."""
        self._outbuffer.pause()

    # For the server and the client

    @property
    def is_gone(self) -> bool:
        """Whether the transport has ended."""
        return self._life is Life.GONE

    def abort(self) -> None:
        """Cut off the connection, and drop all bytes that are not sent yet."""
        self._stop_timers()
        self._abort()

    def fail(self, *, retry: bool = True) -> None:
        """End the session after a fault of this side, and cut off the connection.

        Args:
            retry: Whether another connection may succeed.
        """
        before = self._life
        if not hasattr(self, "connection"):  # there is no session to end
            self._life = advance(before, Trigger.LOST)
            self.connection_closed()
        elif before is not Life.GONE:
            self.connection.end(ErrorCode.INTERNAL_ERROR, self.failed_reason, retry=retry)
            self._life = advance(before, Trigger.FAILED)
            if before not in OVER:
                self._tell_end()
        if not hasattr(self.transport, "abortConnection"):  # such as the transport of a process
            self.stream.loseConnection()
        self.abort()

    # For the two sides

    def begin_answers(self) -> bool:
        """Begin the work on the answers that the peer waits for.

        Returns:
            Whether any of them will come later.
        """
        return False

    def close_timeout_s(self) -> float:
        """Return how long the peer may take to read the end of the session, in seconds."""
        return CLOSE_TIMEOUT_S

    def session_ended(self, end_reason: SessionEnded) -> None:
        """Act on the end of the session, for any reason; called exactly once."""
        raise NotImplementedError

    def connection_closed(self) -> None:
        """Act on the end of the connection, which may come later than the end of the session."""

    def read_at_once(self, most: int) -> None:
        """Set how many bytes are read at once, if the reactor reads them from a socket."""
        if isinstance(self.transport, FileDescriptor):
            self.transport.bufferSize = most

    def handshake_done(self) -> None:
        """Stop the timer of the handshake."""
        self._handshake_timer.stop()

    def flush(self) -> None:
        """Write the queued frames, and close if the session is over."""
        raise NotImplementedError

    def tick(self, now: float) -> None:
        """Act on the time, in the clock's seconds."""
        raise NotImplementedError

    # Within

    def _finish_half_closed(self) -> None:
        self._turn.deliver_all()
        self._outbuffer.finish(self.connection.all_frames())
        self.connection.connection_lost()
        self._begin_closing()
        self._close_when_written()

    def _close(self) -> None:
        """Close: the peer may still read the written bytes, for at most `close_timeout_s`."""
        self._reading.drop()
        self._begin_closing()
        self._close_when_written()

    def _close_when_written(self) -> None:
        if self._closing is not None and not self.is_gone:
            self._closing.proceed(peer_has_finished=self._life is Life.FINISHED)

    def _begin_closing(self) -> None:
        self._life = advance(self._life, Trigger.CLOSED)
        self._proceed_later()
        self._handshake_timer.stop()
        timeout_s = self.close_timeout_s()
        self._closing = Closing(self.stream, self._outbuffer, self._clock, self._abort, timeout_s)
        self._tell_end()

    def _tell_end(self) -> None:
        assert self.connection.end_reason is not None
        self.session_ended(self.connection.end_reason)

    def _proceed_later(self) -> None:
        """Write the next slice of the held bytes in another turn, while the peer reads."""
        if self._outbuffer.may_proceed:
            self._clock.callLater(0, self._proceed)

    def _proceed(self) -> None:
        if self._outbuffer.may_proceed and not self.is_gone:
            self.resumeProducing()

    def _tick_now(self) -> None:
        self.tick(self._clock.seconds())

    def _abort(self) -> None:
        abort = getattr(self.transport, "abortConnection", None)
        if abort is None:  # standard input and output can only be abandoned
            self.connectionLost()
        else:
            abort()

    def _stop_timers(self) -> None:
        self._handshake_timer.stop()
        if self._closing is not None:
            self._closing.stop()
