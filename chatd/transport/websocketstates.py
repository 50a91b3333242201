"""The states of a WebSocket's end, and the one table of their changes; see RFC 6455, section 7.

==========  ===============================================================================
state       meaning
==========  ===============================================================================
OPEN        both sides may send
PEER_DONE   the peer has sent its Close; this side still sends what it owes
CLOSING     this side has sent its Close, and waits for that of the peer
CLOSED      this side has sent its last byte; received bytes are dropped
==========  ===============================================================================
"""

from __future__ import annotations

from enum import Enum

from chatd.transitions import advance_in

__all__ = ["TRANSITIONS", "Phase", "Step", "advance"]


class Phase(Enum):
    """The state of a WebSocket."""

    __hash__ = object.__hash__  # that of `Enum` is slow; a phase is looked up for each write

    OPEN = "open"
    PEER_DONE = "closed by the peer"
    CLOSING = "closing"
    CLOSED = "closed"


class Step(Enum):
    """An occurrence that changes the state of a WebSocket."""

    PEER_CLOSED = "closed by the peer"
    CLOSED = "closed"
    FAULTED = "faulted"
    LOST = "lost"


TRANSITIONS: dict[tuple[Phase, Step], Phase] = {
    (Phase.OPEN, Step.PEER_CLOSED): Phase.PEER_DONE,
    (Phase.OPEN, Step.CLOSED): Phase.CLOSING,
    (Phase.OPEN, Step.FAULTED): Phase.CLOSED,
    (Phase.PEER_DONE, Step.CLOSED): Phase.CLOSED,
    (Phase.CLOSING, Step.PEER_CLOSED): Phase.CLOSED,
    (Phase.CLOSING, Step.CLOSED): Phase.CLOSING,
    (Phase.CLOSING, Step.FAULTED): Phase.CLOSED,
    (Phase.CLOSED, Step.CLOSED): Phase.CLOSED,
    **{(phase, Step.LOST): Phase.CLOSED for phase in Phase},
}

advance = advance_in("a WebSocket", TRANSITIONS)
"""Returns the state after a step; see `chatd.transitions.advance_in`."""
