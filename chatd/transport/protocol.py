"""`ChatProtocol` moves bytes between a transport and a connection, on either side.

It does what Twisted's `Int32StringReceiver` does, with its own `dataReceived`: what arrives is fed
to the connection, the events that come out are dispatched, and what is to be said is flushed at
the end of the reactor's turn.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from chatd.connection.connection import Connection
from chatd.connection.events import Event
from chatd.connection.keepalive import SILENT_INTERVALS
from chatd.errors import ErrorCode
from chatd.transport.flush import Turn
from chatd.transport.life import OVER, Life
from chatd.transport.lifecycle import LifecycleProtocol
from chatd.transport.reading import Reason

__all__ = ["MAX_PENDING", "ChatProtocol"]

HOLD_PENDING = 1024 * 1024
"""A peer for whom more than this waits is itself not read from until it reads, in bytes."""
MAX_PENDING = 8 * 1024 * 1024
"""How much may wait for a peer that does not read, in bytes."""

_OPEN = Life.OPEN  # a name that is cheaper to look up, once for each flush


class ChatProtocol(LifecycleProtocol):
    """One side of a session on a transport.

    Args:
        connection: This side of the session; None where a subclass sets the attribute as soon as
            the transport is known.
        turn: Where to ask for a flush.
        clock: What tells the time; the reactor, or a test's clock.
        max_pending: How much may wait for a peer that does not read, in bytes; one that lets more
            pile up is disconnected as a `slow-consumer`. None for no limit.

    """

    def __init__(
        self,
        connection: Connection | None,
        turn: Turn,
        clock: IReactorTime,
        max_pending: int | None = MAX_PENDING,
    ) -> None:
        super().__init__(turn, clock)
        if connection is not None:
            self.connection = connection
        self._max_pending = max_pending
        self._work: Deferred[None] | None = None
        self._drained: Deferred[None] | None = None
        self._stalled_ticks = 0

    # From the transport

    def dataReceived(self, data: bytes) -> None:
        """Take bytes in, and act on what they mean."""
        try:
            self.connection.receive_data(data)
            self._dispatch()
        except Exception:
            self._end_failed()

    def resumeProducing(self) -> None:
        """Send what was held back: the peer reads on."""
        self._stalled_ticks = 0
        super().resumeProducing()

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

    def _tell_end(self) -> None:
        super()._tell_end()
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
