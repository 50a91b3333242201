"""`ChatProtocol` moves bytes between a transport and a connection, on either side.

It replaces Twisted's `Int32StringReceiver`. Its `dataReceived` feeds the received bytes to the
connection and dispatches the events; frames to send are flushed at the end of the reactor's turn.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from chatd.connection.connection import Connection
from chatd.connection.events import Event
from chatd.connection.keepalive import SILENT_INTERVALS
from chatd.connection.states import TAKING, State
from chatd.errors import ErrorCode
from chatd.transport.flush import Turn
from chatd.transport.life import OVER, Life
from chatd.transport.lifecycle import LifecycleProtocol
from chatd.transport.reading import Reason
from chatd.transport.streams import bytes_taken
from chatd.wire.large import Frame

__all__ = ["MAX_PENDING", "ChatProtocol"]

HOLD_PENDING = 1024 * 1024
"""If more than this waits for a peer, reading from it pauses until it reads, in bytes."""
MAX_PENDING = 8 * 1024 * 1024
"""Maximum that waits for a peer that does not read, in bytes."""

MAX_RUN = 1_000
"""The most messages that are acted on together."""
MAX_RUN_BYTES = 1024 * 1024
"""The bytes of content with which a run of messages ends."""

_ESTABLISHED = State.ESTABLISHED
_OPEN = Life.OPEN  # a cheaper lookup, needed once for each flush


class ChatProtocol(LifecycleProtocol):
    """One side of a session on a transport.

    Args:
        connection: This side of the session; None if a subclass sets the attribute when it knows
            the transport.
        turn: The turn that schedules flushes.
        clock: The reactor, or a test's clock.
        max_pending: Maximum that waits for a peer that does not read, in bytes. If more waits, the
            peer is disconnected as a `slow-consumer`. None for no limit.
    """

    _is_last_work = False
    """Whether the peer has finished, so that this side closes when the work under way is done."""

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
        self._taken: int | None = None

    # From the transport

    def dataReceived(self, data: bytes) -> None:
        """Feed received bytes to the connection, and act on the events."""
        try:
            self.connection.receive_data(data)
            self._dispatch()
        except Exception:
            self._end_failed(Failure())

    def readConnectionLost(self) -> None:
        """Close when all that the peer has sent is acted on: it may have come in the same read."""
        self._reading.stop()
        if self._work is None or self.connection.is_over:
            super().readConnectionLost()
        else:
            self._is_last_work = True

    def resumeProducing(self) -> None:
        """Send the bytes that were held back: the peer reads again."""
        self._stalled_ticks = 0
        super().resumeProducing()

    # For the server and the client

    def deliver(self, frames: Frame) -> None:
        """Queue complete frames, unless the session is over."""
        connection = self.connection
        if connection.state in TAKING:
            connection.queue_frames(frames)
            self._turn.add(self)

    def end_session(self, code: str, reason: str, *, retry: bool = False) -> None:
        """Send a DISCONNECT and close; a peer that does not read it in time is cut off."""
        self.connection.end(code, reason, retry=retry)
        self._turn.add(self)

    def tick(self, now: float) -> None:
        """Act on the time, in the clock's seconds."""
        reasons = self._reading.reasons
        if reasons or self._life is Life.PEER_FINISHED:
            self.connection.note_alive()  # silence is no fault: reading is paused, or has ended
        is_stalled = Reason.FLOODED in reasons or (bool(reasons) and not self._outbuffer.is_open)
        if (is_stalled or self.connection.is_silent) and self._has_taken_bytes():
            # A slow line: the peer's answers come when it has read the bytes before the pings.
            self._stalled_ticks = 0
            self.connection.note_alive()
        elif is_stalled:
            self._stalled_ticks += 1
            if self._stalled_ticks > SILENT_INTERVALS:
                self._cut_off_slow_consumer("the peer read nothing for too long")
        self.connection.tick(now)
        self._turn.add(self)

    def flush(self) -> None:
        """Write the queued frames together, and close if the session is over."""
        connection = self.connection
        if self._life is not _OPEN:
            if self._life in OVER:
                return
            if not self.begin_answers():
                self._finish_half_closed()
                return
        is_ending = connection.is_over and not (connection.takes_frames and self.begin_answers())
        if not self._outbuffer.is_open and not is_ending:
            waiting = connection.bytes_to_send + len(self._outbuffer)
            if self._max_pending is None or waiting <= self._max_pending:
                self._hold_if_flooding(waiting)
                return
            self._cut_off_slow_consumer(f"{waiting} unread bytes were waiting")
            is_ending = True
        if connection.state is not _ESTABLISHED and (handshake := connection.handshake_to_send()):
            self._writer.write(handshake)
        if is_ending:
            self._outbuffer.finish(connection.all_frames())
            self._close()
            return
        if self._outbuffer.write(connection.plaintext_to_send()):
            self._proceed_later()
        if connection.bytes_to_send:
            self._flush_rest()
        if self._drained is not None:
            self._tell_drained()

    def when_drained(self) -> Deferred[None]:
        """Wait until no bytes are held back: the peer reads as fast as this side writes.

        Only one caller may wait at a time.

        Returns:
            A Deferred that fires with None, or fails with `SessionEnded` if the session ends first.
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
        """Act on an event of the connection.

        Returns:
            A Deferred that fires when the next event may come, or None for at once.
        """
        raise NotImplementedError

    def begin_run(self) -> tuple[int, int]:
        """Prepare for the next run of messages, and return how long it may be.

        See `Connection.events`.
        """
        return MAX_RUN, MAX_RUN_BYTES

    def throttle(self) -> Deferred[None] | None:
        """Make a peer wait that sent too much; called after all received events are acted on.

        Returns:
            A Deferred that fires when the peer may send more, or None for at once.
        """
        return None

    # Within

    def _dispatch(self) -> None:
        if self._work is None:
            for event in self.connection.events(self.begin_run):
                self._work = self.act_on(event)
                if self._work is not None:
                    break
            else:
                self._work = self.throttle()
            if self._work is not None:
                self._wait_for(self._work)
        self._flush_later()

    def _flush_later(self) -> None:
        """Flush at the end of the turn, if this side has anything to do."""
        self._turn.add(self)

    def _flush_rest(self) -> None:
        """Flush again for the frames behind a large frame, when that is sealed and written."""
        unsealed = self.connection.unsealed
        if unsealed:
            self._turn.seal(unsealed, self)
        if self._outbuffer.is_open and not self.connection.is_held_back:
            self._turn.add(self)

    def _wait_for(self, work: Deferred[None]) -> None:
        """Pause reading until `work` is done, to limit the work that a peer can cause."""
        self._reading.pause(Reason.WORK)
        work.addBoth(self._go_on)

    def _go_on(self, result: object) -> None:
        self._work = None
        if isinstance(result, Failure):
            self._end_failed(result)
        self._reading.resume(Reason.WORK)
        if self.connection.is_readable:
            try:
                self._dispatch()
            except Exception:
                self._end_failed(Failure())
        if self._is_last_work and self._work is None:
            self._is_last_work = False
            super().readConnectionLost()

    def _end_failed(self, failure: Failure) -> None:
        """Log the failure of this side, and tell the peer that this side failed."""
        self.log.failure("an event of the peer could not be processed", failure=failure)
        self.end_session(ErrorCode.INTERNAL_ERROR, self.failed_reason, retry=True)

    def _hold_if_flooding(self, waiting: int) -> None:
        """Pause reading if much waits for the peer; a client does not, or both would wait."""
        if self._max_pending is not None and waiting > HOLD_PENDING:
            self._reading.pause(Reason.FLOODED)

    def _has_taken_bytes(self) -> bool:
        """Return whether the peer has taken bytes since the last call, and more wait for it."""
        before, self._taken = self._taken, bytes_taken(self.stream)
        return before is not None and self._taken is not None and before < self._taken

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
        if (
            self._drained is not None
            and self._outbuffer.is_open
            and not self.connection.bytes_to_send
        ):
            drained, self._drained = self._drained, None
            drained.callback(None)
