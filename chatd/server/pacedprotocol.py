"""`PacedProtocol`: reads what a client sends at its pace and in its turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from chatd.server.pace import Pace
from chatd.server.sessionprotocol import SessionProtocol
from chatd.transport.reading import Reason

if TYPE_CHECKING:
    from chatd.server.factory import ChatFactory

__all__ = ["MAX_SAID_IN_TURN", "SHORT_BYTES", "PacedProtocol"]

MAX_SAID_IN_TURN = 1_000
"""How many messages all clients may send in a turn; then the turn ends early."""
SHORT_BYTES = 4 * 1024
"""The longest read that is acted on at once, in bytes. Its time is not measured either: that would
make it longer."""


class PacedProtocol(SessionProtocol):
    """Lets a client wait that sends more than its rate, or when it is other clients' turn.

    `ServerProtocol` acts on what is read.

    Attributes:
        has_turn: Set by a WebSocket below while it passes on what has waited, or need not wait.
    """

    __slots__ = ("_awaits_turn", "_carried_bytes", "_held_bytes", "_pace", "has_turn")

    def __init__(self, factory: ChatFactory[Any]) -> None:
        super().__init__(factory)
        self._pace = Pace(factory.clock, factory.limits)
        self.has_turn = False
        self._awaits_turn = False
        self._held_bytes = 0
        self._carried_bytes = 0

    def dataReceived(self, data: bytes) -> None:
        """Act on received bytes; end the turn early after many messages.

        Answers and broadcasts wait for the end of the turn.
        """
        length = len(data)
        is_long = length > SHORT_BYTES
        began = self._clock.seconds() if is_long else 0.0
        if is_long and not self.has_turn and self._work is None and not self.connection.is_over:
            self._take_turn(length)
        self._pace.count_data(length)
        self._turn.begin_read()
        try:
            super().dataReceived(data)
            if self._work is not None:
                self._note_held()
        finally:
            if self._engine.hub.commits.ready >= MAX_SAID_IN_TURN:
                self._turn.flush()
            self._turn.end_read(self)
            if is_long:
                self._engine.read_budget.spend(self._clock.seconds() - began)

    def throttle(self) -> Deferred[None] | None:
        """Return a Deferred that fires when reading from the client may go on; None for now."""
        self._note_held()
        return self._pace.throttle()

    def flush(self) -> None:
        """Write the queued frames at the end of a turn."""
        self._pace.begin_turn()
        super().flush()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Act on the read that waits for other clients' turn, then end the session.

        With TLS, the end of a connection arrives although reading is paused.
        """
        try:
            if self._awaits_turn:
                self._work, self._awaits_turn = None, False
                self._dispatch()
        except Exception:
            self.log.failure("the last data of a client could not be processed")
        finally:
            super().connectionLost(reason)

    def connection_closed(self) -> None:
        """Forget the connection, and stop its pauses."""
        self._pace.stop()
        super().connection_closed()

    def note_carried(self, empty_frames: int, short_frames: int, held_bytes: int) -> None:
        """Count what a WebSocket below took to carry bytes; called before `dataReceived`.

        Args:
            empty_frames: How many frames arrived that carry no message of their own. Each counts as
                a message.
            short_frames: How many other short frames arrived. Each counts as a message; the
                messages that they carry do not count again.
            held_bytes: How many bytes of an incomplete frame have arrived.
        """
        if not self.connection.is_over:
            self._pace.count_frames(empty_frames, short_frames)
            self._carried_bytes = held_bytes
            self._note_held()

    def pause_for_turn(self) -> None:
        """Pause reading: the frames of a WebSocket below wait for other clients' turn."""
        self._reading.pause(Reason.TURN)

    def resume_in_turn(self) -> None:
        """Resume reading: the frames are acted on."""
        self._reading.resume(Reason.TURN)

    # Within

    def _take_turn(self, length: int) -> bool:
        """Return whether many bytes may be acted on now; otherwise, wait for that."""
        asked = self._engine.read_budget.ask_to_read(length)
        if asked is None:
            return True
        self._work, self._awaits_turn = asked, True
        self._wait_for(asked)
        return False

    def _go_on(self, result: object) -> None:
        """Act on the rest of a read when it is the client's turn."""
        has_turn, self._awaits_turn = self._awaits_turn, False
        length = self.connection.held_bytes
        may_wait = length > SHORT_BYTES and not has_turn and not isinstance(result, Failure)
        if may_wait and not self._take_turn(length):
            self._note_held()
            return
        began = self._clock.seconds()
        super()._go_on(result)
        if self._work is not None:
            self._note_held()
        # Not when answers let it go on: they come within the end of a turn.
        if has_turn and self._engine.hub.commits.ready >= MAX_SAID_IN_TURN:
            self._turn.flush()
        self._engine.read_budget.spend(self._clock.seconds() - began)

    def _note_held(self) -> None:
        """Report how many bytes have arrived and were not acted on, if the number changed."""
        connection = self.connection
        if connection.is_over:
            return
        # Bytes that wait for the store or a hook are not the peer's fault, and at most one read.
        is_its_own = self._work is None or self._pace.is_waiting or self._awaits_turn
        held_bytes = connection.held_bytes if is_its_own else connection.gathered_bytes
        held_bytes += self._carried_bytes
        if held_bytes != self._held_bytes:
            self._held_bytes = held_bytes
            self._engine.shedder.arriving(self, held_bytes)
