"""`ChatProtocol` moves bytes between a transport and a connection, on either side.

It does what Twisted's `Int32StringReceiver` does, with its own `dataReceived`: what arrives is fed
to the connection, the events that come out are dispatched, and what is to be said is flushed at
the end of the reactor's turn.
"""

from __future__ import annotations

from typing import cast

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableDescriptor,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    ITransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.connection.connection import Connection
from chatd.connection.events import Event
from chatd.connection.keepalive import SILENT_INTERVALS
from chatd.errors import ErrorCode, SessionEnded
from chatd.transport.flush import Turn
from chatd.transport.hooks import FAILED
from chatd.transport.loss import why_lost
from chatd.transport.outbuffer import OutBuffer
from chatd.transport.streams import StreamTransport
from chatd.transport.writers import writer_for

__all__ = ["CLOSE_TIMEOUT_S", "MAX_PENDING", "ChatProtocol"]

CLOSE_TIMEOUT_S = 5.0
"""How long a peer may take to read the end of a session, in seconds."""
READ_BYTES = 120 * 1024
"""How much is read from a socket in a turn: what is read together is flushed together. Twisted
tells a producer to pause when as much waits to be written. TLS and proxies keep its 64 KiB."""
HOLD_PENDING = 1024 * 1024
"""A peer for whom more than this waits is itself not read from until it reads, in bytes."""
MAX_PENDING = 8 * 1024 * 1024
"""How much may wait for a peer that does not read, in bytes."""


@implementer(IPushProducer, IHalfCloseableProtocol)
class ChatProtocol(Protocol):
    """One side of a session on a transport.

    Args:
        connection: This side of the session; None where a subclass sets the attribute as soon as
            the transport is known.
        turn: Where to ask for a flush.
        clock: What tells the time; the reactor, or a test's clock.
        max_pending: How much may wait for a peer that does not read, in bytes; one that lets more
            pile up is disconnected as a `slow-consumer`. None for no limit.

    Attributes:
        connection: This side of the session.
        failed_reason: What the peer is told where this side fails.
    """

    log = Logger()
    connection: Connection
    failed_reason = FAILED

    def __init__(
        self,
        connection: Connection | None,
        turn: Turn,
        clock: IReactorTime,
        max_pending: int | None = MAX_PENDING,
    ) -> None:
        if connection is not None:
            self.connection = connection
        self._turn = turn
        self._clock = clock
        self._max_pending = max_pending
        self._timer: IDelayedCall | None = None  # of the handshake first, of the close at the end
        self._work: Deferred[None] | None = None
        self._drained: Deferred[None] | None = None
        self._stalled_ticks = 0
        self._has_begun = False
        self._is_held = False  # not read, because it does not read
        self._is_read_closed = False  # the peer has closed its sending half
        self._is_closing = False
        self._is_gone = False

    # From the transport

    def makeConnection(self, transport: ITransport) -> None:
        """Begin; what fails ends the session, since not every transport closes by itself then."""
        self.stream = cast(StreamTransport, transport)
        try:
            super().makeConnection(transport)
        except Exception:
            self.log.failure("a connection failed")
            self.fail()

    def connectionMade(self) -> None:
        """Greet, and give the handshake its time."""
        assert self.transport is not None
        set_no_delay = getattr(self.transport, "setTcpNoDelay", None)
        if set_no_delay is not None:
            set_no_delay(True)
        if isinstance(self.transport, FileDescriptor):
            self.transport.bufferSize = READ_BYTES
        self._writer = writer_for(self.stream)
        self._outbuffer = OutBuffer(self._writer, self.connection.seal_into)
        self._has_begun = True
        self.stream.registerProducer(self, True)
        self._timer = self._clock.callLater(
            self.connection.handshake_timeout_s, self._handshake_is_due
        )
        self.flush()

    def dataReceived(self, data: bytes) -> None:
        """Take bytes in, and act on what they mean."""
        try:
            self.connection.receive_data(data)
            self._dispatch()
        except Exception:
            self._end_failed()

    def readConnectionLost(self) -> None:
        """Send what the peer is still owed, and close: it says nothing more, but may read."""
        self._is_read_closed = True
        if self._is_closing:
            self._close_when_written()
        elif not self.owes_answers():  # else the flush that brings the last answer closes
            self._finish_half_closed()

    def _finish_half_closed(self) -> None:
        self._turn.deliver_all()
        self._outbuffer.finish(self.connection.plaintext_to_send())
        self.connection.connection_lost()
        self._begin_closing()
        self._close_when_written()

    def writeConnectionLost(self) -> None:
        """Wait for the peer to close its end, too."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Note the end of the transport; `session_ended` tells why the session ended."""
        if self._is_gone:
            return
        self._is_gone = True
        self._stop_timer()
        if self._has_begun:
            self._outbuffer.discard()
        try:
            self.connection.connection_lost(why_lost(reason))
            if not self._is_closing:
                self._is_closing = True
                self._tell_end()
        finally:
            self.connection_closed()

    def pauseProducing(self) -> None:
        """Hold back what is to be sent: the peer does not read as fast."""
        self._outbuffer.pause()

    def resumeProducing(self) -> None:
        """Send what was held back."""
        self._stalled_ticks = 0
        self._outbuffer.resume()
        self._proceed_later()
        if self._is_closing:
            self._close_when_written()
            return
        if not self._outbuffer.is_open:
            return
        if self._is_held:
            self._is_held = False
            if self._work is None:
                self.stream.resumeProducing()
        self._turn.add(self)

    def stopProducing(self) -> None:
        """Send nothing more: the transport is gone."""
        self._outbuffer.pause()

    # For whoever has something to say

    def deliver(self, frames: bytes) -> None:
        """Queue whole frames, unless the session is over."""
        if self.connection.takes_frames:
            self.connection.queue_frames(frames)
            self._turn.add(self)

    def end_session(self, code: str, reason: str, *, retry: bool = False) -> None:
        """Say why, flush and close; a peer that does not read that in time is cut off."""
        self.connection.end(code, reason, retry=retry)
        self._turn.add(self)

    def tick(self, now: float) -> None:
        """Let the time pass for the session."""
        if self._work is not None or self._is_held or self._is_read_closed:
            self.connection.note_alive()  # it is this side that does not listen, or hears no more
        if self._is_held or (self._work is not None and not self._outbuffer.is_open):
            self._stalled_ticks += 1
            if self._stalled_ticks > SILENT_INTERVALS:
                self._cut_off_slow_consumer("nothing was read for too long")
        self.connection.tick(now)
        self._turn.add(self)

    def flush(self) -> None:
        """Write what was queued, as one piece, and close if that was the last."""
        connection = self.connection
        if self._is_closing:
            return
        if self._is_read_closed and not self.owes_answers():
            self._finish_half_closed()
            return
        is_ending = connection.is_over and not (connection.takes_frames and self.owes_answers())
        if not self._outbuffer.is_open and not is_ending:
            waiting = connection.bytes_to_send + len(self._outbuffer)
            if self._max_pending is None or waiting <= self._max_pending:
                self._hold_if_flooding(waiting)
                return
            self._cut_off_slow_consumer(f"{waiting} bytes were waiting to be read")
            is_ending = True
        handshake = connection.handshake_to_send()
        if handshake:
            self._writer.write(handshake)
        data = connection.plaintext_to_send()
        if is_ending:
            self._outbuffer.finish(data)
            self._close()
        else:
            self._outbuffer.write(data)
            self._proceed_later()
            self._tell_drained()

    def when_drained(self) -> Deferred[None]:
        """Wait until nothing is held back: the peer reads as fast as it is written to.

        Only one may wait at a time.

        Returns:
            A Deferred that fires with None, and fails with `SessionEnded` where the session ends
            first.
        """
        drained: Deferred[None] = Deferred()
        self._drained = drained
        if self.connection.is_established:
            self._turn.add(self)
        else:
            self._fail_drained()
        return drained

    # For the two sides

    def owes_answers(self) -> bool:
        """Say whether something that the peer said will be answered, and cannot be at once."""
        return False

    def act_on(self, event: Event) -> Deferred[None] | None:
        """Act on what the connection tells.

        Returns:
            A Deferred that fires when the next event may come, or None for at once.
        """
        raise NotImplementedError

    def rest(self) -> Deferred[None] | None:
        """Let a peer wait that said more than it may; called when all that arrived was acted on.

        Returns:
            A Deferred that fires when it may say more, or None for at once.
        """
        return None

    def session_ended(self, end_reason: SessionEnded) -> None:
        """Act on the end of the session, whatever it was; called exactly once."""
        raise NotImplementedError

    def connection_closed(self) -> None:
        """Act on the end of the connection, which may come later than that of the session."""

    def handshake_done(self) -> None:
        """Stop the time of the handshake."""
        self._stop_timer()

    # Within

    def _dispatch(self) -> None:
        if self._work is None:
            for event in self.connection.events():
                self._work = self.act_on(event)
                if self._work is not None:
                    break
            else:
                self._work = self.rest()
            if self._work is not None:
                self._wait_for(self._work)
        self._turn.add(self)

    def _wait_for(self, work: Deferred[None]) -> None:
        """Read nothing more until `work` is done: what a peer may have in work is bounded."""
        self.stream.pauseProducing()
        work.addBoth(self._go_on)

    def _go_on(self, result: object) -> None:
        self._work = None
        if isinstance(result, Failure):
            self.log.failure("what a peer said could not be acted on", failure=result)
            self.end_session(ErrorCode.INTERNAL_ERROR, self.failed_reason)
        if not (self._is_held or self._is_read_closed or self._is_gone):
            self.stream.resumeProducing()  # also when it is over: the other end is waited for
        if self.connection.is_readable:
            try:
                self._dispatch()
            except Exception:
                self._end_failed()

    def _end_failed(self) -> None:
        """Log what failed on this side, and tell the peer that it did."""
        self.log.failure("what arrived could not be acted on")
        self.end_session(ErrorCode.INTERNAL_ERROR, self.failed_reason, retry=True)

    def _handshake_is_due(self) -> None:
        self._timer = None
        self.tick(self._clock.seconds())

    def _hold_if_flooding(self, waiting: int) -> None:
        """Read nothing from a peer for whom much waits: not on a client's side, both would wait."""
        if self._max_pending is not None and not self._is_held and waiting > HOLD_PENDING:
            self._is_held = True
            self.stream.pauseProducing()

    def _cut_off_slow_consumer(self, why: str) -> None:
        self.connection.discard_queued()
        self.connection.end(ErrorCode.SLOW_CONSUMER, why, retry=True)

    def _close(self) -> None:
        """Close for good: what is written may still be read, and for `CLOSE_TIMEOUT_S` only.

        Where the transport can, only the sending half is closed, and what still arrives is read
        and dropped: closing a TCP socket on unread bytes would reset it, and the peer would lose
        the words that say why.
        """
        if self._work is not None or self._is_held:
            self.stream.resumeProducing()
        self._begin_closing()
        self._close_when_written()

    def _close_when_written(self) -> None:
        """Close once nothing is held back; until then the time of the close runs."""
        if self._is_gone or not self._outbuffer.is_done:
            return
        self.stream.unregisterProducer()
        if self._can_half_close() and not self._is_read_closed:
            self.stream.loseWriteConnection()
        else:
            self.stream.loseConnection()

    def _proceed_later(self) -> None:
        """Write the next slice of what is held back in another turn, as long as the peer reads."""
        if self._outbuffer.may_proceed:
            self._clock.callLater(0, self._proceed)

    def _proceed(self) -> None:
        if self._outbuffer.may_proceed and not self._is_gone:
            self.resumeProducing()

    def _begin_closing(self) -> None:
        self._is_closing = True
        self._proceed_later()
        self._stop_timer()
        self._timer = self._clock.callLater(CLOSE_TIMEOUT_S, self._abort)
        self._tell_end()

    def _tell_end(self) -> None:
        assert self.connection.end_reason is not None
        self.session_ended(self.connection.end_reason)
        self._fail_drained()

    def _fail_drained(self) -> None:
        drained, self._drained = self._drained, None
        reason = self.connection.end_reason
        if drained is not None and reason is not None:
            drained.errback(reason.again())

    def _tell_drained(self) -> None:
        if self._drained is not None and self._outbuffer.is_open:
            drained, self._drained = self._drained, None
            drained.callback(None)

    def abort(self) -> None:
        """Cut the connection off, whatever was still to be said."""
        self._stop_timer()
        self._abort()

    def fail(self) -> None:
        """End the session after a fault of this side's own, and cut the connection off."""
        if hasattr(self, "connection"):
            self.connection.end(ErrorCode.INTERNAL_ERROR, self.failed_reason, retry=True)
            if not self._is_closing:
                self._is_closing = True
                self._tell_end()
        else:  # there is nobody to be told of its end
            self._is_gone = True
            self.connection_closed()
        if not hasattr(self.transport, "abortConnection"):  # as that of a process
            self.stream.loseConnection()
        self.abort()

    def _abort(self) -> None:
        self._timer = None
        abort = getattr(self.transport, "abortConnection", None)
        if abort is None:  # standard input and output can only be left alone
            self.connectionLost()
        else:
            abort()

    def _can_half_close(self) -> bool:
        """Whether the sending half can be closed alone; standard output cannot, in effect."""
        return (
            IHalfCloseableDescriptor.providedBy(self.transport)
            and hasattr(self.transport, "abortConnection")
            and not ISSLTransport.providedBy(self.transport)
        )

    def _stop_timer(self) -> None:
        """Stop the time of the handshake, or of the close."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
