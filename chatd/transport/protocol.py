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
from chatd.connection.events import Event
from chatd.connection.keepalive import SILENT_INTERVALS
from chatd.errors import ErrorCode, SessionEnded
from chatd.transport.closing import Closing
from chatd.transport.flush import Turn
from chatd.transport.hooks import FAILED
from chatd.transport.life import OVER, Change, Life, changed
from chatd.transport.loss import why_lost
from chatd.transport.outbuffer import OutBuffer
from chatd.transport.reading import Reading, Reason
from chatd.transport.streams import StreamTransport
from chatd.transport.timer import Timer
from chatd.transport.writers import writer_for

__all__ = ["MAX_PENDING", "ChatProtocol"]

READ_BYTES = 120 * 1024
"""How much is read from a socket in a turn: what is read together is flushed together. Twisted
tells a producer to pause when as much waits to be written. TLS and proxies keep its 64 KiB."""
HOLD_PENDING = 1024 * 1024
"""A peer for whom more than this waits is itself not read from until it reads, in bytes."""
MAX_PENDING = 8 * 1024 * 1024
"""How much may wait for a peer that does not read, in bytes."""

_OPEN = Life.OPEN  # a name that is cheaper to look up, once for each flush


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
        self._life = Life.NEW
        self._handshake_timer = Timer(clock)
        self._closing: Closing | None = None
        self._work: Deferred[None] | None = None
        self._drained: Deferred[None] | None = None
        self._stalled_ticks = 0

    # From the transport

    def makeConnection(self, transport: ITransport) -> None:
        """Begin; what fails ends the session, since not every transport closes by itself then."""
        self.stream = cast(StreamTransport, transport)
        self._reading = Reading(self.stream)
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
        self._life = changed(self._life, Change.BEGUN)
        self.stream.registerProducer(self, True)
        self._handshake_timer.start(self.connection.handshake_timeout_s, self._tick_now)
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
        self._life = changed(self._life, Change.PEER_FINISHED)
        self._reading.stop()
        if self._life in OVER:
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
        before = self._life
        if before is Life.GONE:
            return
        self._life = changed(before, Change.LOST)
        self._stop_timers()
        self._reading.stop()
        if before not in (Life.NEW, Life.FAILED):
            self._outbuffer.discard()
        try:
            self.connection.connection_lost(why_lost(reason))
            if before not in OVER:
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
        if self._life in OVER:
            self._close_when_written()
        elif self._outbuffer.is_open:
            self._reading.resume(Reason.FLOODED)
            self._turn.add(self)

    def stopProducing(self) -> None:
        """Send nothing more: the transport is gone."""
        self._outbuffer.pause()

    # For whoever has something to say

    @property
    def is_gone(self) -> bool:
        """Whether the transport is gone."""
        return self._life is Life.GONE

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
        reasons = self._reading.reasons
        if reasons or self._life is Life.PEER_FINISHED:
            self.connection.note_alive()  # it is this side that does not listen, or hears no more
        if Reason.FLOODED in reasons or (reasons and not self._outbuffer.is_open):
            self._stalled_ticks += 1
            if self._stalled_ticks > SILENT_INTERVALS:
                self._cut_off_slow_consumer("nothing was read for too long")
        self.connection.tick(now)
        self._turn.add(self)

    def flush(self) -> None:
        """Write what was queued, as one piece, and close if that was the last."""
        connection = self.connection
        if self._life is not _OPEN:
            if self._life in OVER:
                return
            if not self.owes_answers():
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

    def throttle(self) -> Deferred[None] | None:
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
        self._handshake_timer.stop()

    # Within

    def _dispatch(self) -> None:
        if self._work is None:
            for event in self.connection.events():
                self._work = self.act_on(event)
                if self._work is not None:
                    break
            else:
                self._work = self.throttle()
            if self._work is not None:
                self._wait_for(self._work)
        self._turn.add(self)

    def _wait_for(self, work: Deferred[None]) -> None:
        """Read nothing more until `work` is done: what a peer may have in work is bounded."""
        self._reading.pause(Reason.WORK)
        work.addBoth(self._go_on)

    def _go_on(self, result: object) -> None:
        self._work = None
        if isinstance(result, Failure):
            self.log.failure("what a peer said could not be acted on", failure=result)
            self.end_session(ErrorCode.INTERNAL_ERROR, self.failed_reason)
        self._reading.resume(Reason.WORK)
        if self.connection.is_readable:
            try:
                self._dispatch()
            except Exception:
                self._end_failed()

    def _end_failed(self) -> None:
        """Log what failed on this side, and tell the peer that it did."""
        self.log.failure("what arrived could not be acted on")
        self.end_session(ErrorCode.INTERNAL_ERROR, self.failed_reason, retry=True)

    def _tick_now(self) -> None:
        self.tick(self._clock.seconds())

    def _hold_if_flooding(self, waiting: int) -> None:
        """Read nothing from a peer for whom much waits: not on a client's side, both would wait."""
        if self._max_pending is not None and waiting > HOLD_PENDING:
            self._reading.pause(Reason.FLOODED)

    def _cut_off_slow_consumer(self, why: str) -> None:
        self.connection.discard_queued()
        self.connection.end(ErrorCode.SLOW_CONSUMER, why, retry=True)

    def _close(self) -> None:
        """Close for good: what is written may still be read, and for `CLOSE_TIMEOUT_S` only."""
        self._reading.drop()
        self._begin_closing()
        self._close_when_written()

    def _close_when_written(self) -> None:
        if self._closing is not None and not self.is_gone:
            self._closing.proceed(peer_has_finished=self._life is Life.FINISHED)

    def _proceed_later(self) -> None:
        """Write the next slice of what is held back in another turn, as long as the peer reads."""
        if self._outbuffer.may_proceed:
            self._clock.callLater(0, self._proceed)

    def _proceed(self) -> None:
        if self._outbuffer.may_proceed and not self.is_gone:
            self.resumeProducing()

    def _begin_closing(self) -> None:
        self._life = changed(self._life, Change.CLOSED)
        self._proceed_later()
        self._handshake_timer.stop()
        self._closing = Closing(self.stream, self._outbuffer, self._clock, self._abort)
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
        self._stop_timers()
        self._abort()

    def fail(self) -> None:
        """End the session after a fault of this side's own, and cut the connection off."""
        before = self._life
        if not hasattr(self, "connection"):  # there is nobody to be told of its end
            self._life = changed(before, Change.LOST)
            self.connection_closed()
        elif before is not Life.GONE:
            self.connection.end(ErrorCode.INTERNAL_ERROR, self.failed_reason, retry=True)
            self._life = changed(before, Change.FAILED)
            if before not in OVER:
                self._tell_end()
        if not hasattr(self.transport, "abortConnection"):  # as that of a process
            self.stream.loseConnection()
        self.abort()

    def _abort(self) -> None:
        abort = getattr(self.transport, "abortConnection", None)
        if abort is None:  # standard input and output can only be left alone
            self.connectionLost()
        else:
            abort()

    def _stop_timers(self) -> None:
        self._handshake_timer.stop()
        if self._closing is not None:
            self._closing.stop()
