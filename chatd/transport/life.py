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
GONE           the transport is gone
=============  ============================================================================
"""

from __future__ import annotations

from enum import Enum

from chatd.errors import LocalProtocolError

__all__ = ["CHANGES", "OVER", "Change", "Life", "changed"]


class Life(Enum):
    """The state of a transport."""

    NEW = "new"
    OPEN = "open"
    PEER_FINISHED = "finished by the peer"
    CLOSING = "closing"
    FINISHED = "finished by both sides"
    FAILED = "failed"
    GONE = "gone"


class Change(Enum):
    """An occurrence that changes the state of a transport."""

    BEGUN = "begun"
    PEER_FINISHED = "finished by the peer"
    CLOSED = "closed"
    FAILED = "failed"
    LOST = "lost"


CHANGES: dict[tuple[Life, Change], Life] = {
    (Life.NEW, Change.BEGUN): Life.OPEN,
    (Life.NEW, Change.FAILED): Life.FAILED,
    (Life.NEW, Change.LOST): Life.GONE,
    (Life.OPEN, Change.PEER_FINISHED): Life.PEER_FINISHED,
    (Life.OPEN, Change.CLOSED): Life.CLOSING,
    (Life.OPEN, Change.FAILED): Life.CLOSING,
    (Life.OPEN, Change.LOST): Life.GONE,
    (Life.PEER_FINISHED, Change.PEER_FINISHED): Life.PEER_FINISHED,
    (Life.PEER_FINISHED, Change.CLOSED): Life.FINISHED,
    (Life.PEER_FINISHED, Change.FAILED): Life.FINISHED,
    (Life.PEER_FINISHED, Change.LOST): Life.GONE,
    (Life.CLOSING, Change.PEER_FINISHED): Life.FINISHED,
    (Life.CLOSING, Change.FAILED): Life.CLOSING,
    (Life.CLOSING, Change.LOST): Life.GONE,
    (Life.FINISHED, Change.PEER_FINISHED): Life.FINISHED,
    (Life.FINISHED, Change.FAILED): Life.FINISHED,
    (Life.FINISHED, Change.LOST): Life.GONE,
    (Life.FAILED, Change.PEER_FINISHED): Life.FAILED,
    (Life.FAILED, Change.FAILED): Life.FAILED,
    (Life.FAILED, Change.LOST): Life.GONE,
    # Standard input and output cannot be cut off, only left alone, and may report their end later.
    (Life.GONE, Change.PEER_FINISHED): Life.GONE,
}

OVER = frozenset({Life.CLOSING, Life.FINISHED, Life.FAILED, Life.GONE})
"""The states in which the session is over and `session_ended` was called."""


def changed(life: Life, change: Change) -> Life:
    """Return the state after a change.

    Raises:
        LocalProtocolError: The table has no such change.
    """
    try:
        return CHANGES[life, change]
    except KeyError:
        raise LocalProtocolError(
            f"a transport that is {life.value} cannot be {change.value}"
        ) from None
