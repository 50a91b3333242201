"""The states of a transport, as its protocol sees them, and the one table of their changes.

=============  ============================================================================
state          meaning
=============  ============================================================================
NEW            the transport is connected, and nothing was sent
OPEN           both sides may send
PEER_FINISHED  the peer has closed its sending half; it still reads
CLOSING        the session is over; written bytes are sent, received bytes are dropped
FINISHED       the same, and the peer sends nothing more either
FAILED         this side failed before it began; the transport is being cut off
GONE           the transport has ended
=============  ============================================================================
"""

from __future__ import annotations

from enum import Enum

from chatd.transitions import advance_in

__all__ = ["OVER", "TRANSITIONS", "Life", "Trigger", "advance"]


class Life(Enum):
    """The state of a transport."""

    __hash__ = object.__hash__  # that of `Enum` is slow; states are looked up for each write

    NEW = "new"
    OPEN = "open"
    PEER_FINISHED = "finished by the peer"
    CLOSING = "closing"
    FINISHED = "finished by both sides"
    FAILED = "failed"
    GONE = "gone"


class Trigger(Enum):
    """An occurrence that changes the state of a transport."""

    BEGUN = "begun"
    PEER_FINISHED = "finished by the peer"
    CLOSED = "closed"
    FAILED = "failed"
    LOST = "lost"


TRANSITIONS: dict[tuple[Life, Trigger], Life] = {
    (Life.NEW, Trigger.BEGUN): Life.OPEN,
    (Life.NEW, Trigger.FAILED): Life.FAILED,
    (Life.NEW, Trigger.LOST): Life.GONE,
    (Life.OPEN, Trigger.PEER_FINISHED): Life.PEER_FINISHED,
    (Life.OPEN, Trigger.CLOSED): Life.CLOSING,
    (Life.OPEN, Trigger.FAILED): Life.CLOSING,
    (Life.OPEN, Trigger.LOST): Life.GONE,
    (Life.PEER_FINISHED, Trigger.PEER_FINISHED): Life.PEER_FINISHED,
    (Life.PEER_FINISHED, Trigger.CLOSED): Life.FINISHED,
    (Life.PEER_FINISHED, Trigger.FAILED): Life.FINISHED,
    (Life.PEER_FINISHED, Trigger.LOST): Life.GONE,
    (Life.CLOSING, Trigger.PEER_FINISHED): Life.FINISHED,
    (Life.CLOSING, Trigger.FAILED): Life.CLOSING,
    (Life.CLOSING, Trigger.LOST): Life.GONE,
    (Life.FINISHED, Trigger.PEER_FINISHED): Life.FINISHED,
    (Life.FINISHED, Trigger.FAILED): Life.FINISHED,
    (Life.FINISHED, Trigger.LOST): Life.GONE,
    (Life.FAILED, Trigger.PEER_FINISHED): Life.FAILED,
    (Life.FAILED, Trigger.FAILED): Life.FAILED,
    (Life.FAILED, Trigger.LOST): Life.GONE,
    # Standard input and output cannot be cut off, only abandoned, and may report their end later.
    (Life.GONE, Trigger.PEER_FINISHED): Life.GONE,
}

OVER = frozenset({Life.CLOSING, Life.FINISHED, Life.FAILED, Life.GONE})
"""The states in which the session is over and `session_ended` was called."""

advance = advance_in("a transport", TRANSITIONS)
"""Returns the state after a trigger; see `chatd.transitions.advance_in`."""
