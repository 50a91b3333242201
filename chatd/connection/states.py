"""The states of a session and the one table of its transitions.

=============  ==================================  ==================================
state          at the server                       at the client
=============  ==================================  ==================================
CONNECTING     the secure channel's handshake is   the same, or nothing has arrived
               under way (skipped without a key)
GREETING       SESSION_INIT sent, SESSION_ACK      the channel is open, SESSION_INIT
               awaited                             awaited
ADMISSION      SESSION_ACK received, the answer    SESSION_ACK sent, the welcome
               is being decided                    awaited
ESTABLISHED    messages flow                       messages flow
FAULTED        the peer broke the protocol:        the same
               reading stops, earlier frames
               are still answered
DRAINING       DISCONNECT received: reading        the same
               stops, answers to earlier frames
               are still sent
CLOSING        DISCONNECT sent: nothing more is    the same
               read or queued
CLOSED         the transport is gone               the same
=============  ==================================  ==================================
"""

from __future__ import annotations

from enum import Enum

from chatd.transitions import advance_in

__all__ = ["DEAF", "OVER", "SILENT", "TAKING", "TRANSITIONS", "State", "Trigger", "advance"]


class State(Enum):
    """The state of a session."""

    __hash__ = object.__hash__  # that of `Enum` is slow; states are looked up for each frame

    CONNECTING = "connecting"
    GREETING = "greeting"
    ADMISSION = "admission"
    ESTABLISHED = "established"
    FAULTED = "faulted"
    DRAINING = "draining"
    CLOSING = "closing"
    CLOSED = "closed"


class Trigger(Enum):
    """An occurrence that changes the state of a session."""

    CHANNEL_OPENED = "channel opened"
    GREETED = "greeted"
    ADMITTED = "admitted"
    FAULT_FOUND = "found faulty"
    PEER_ENDED = "ended by the peer"
    ENDED = "ended"
    CONNECTION_LOST = "connection lost"


TRANSITIONS: dict[tuple[State, Trigger], State] = {
    (State.CONNECTING, Trigger.CHANNEL_OPENED): State.GREETING,
    (State.CONNECTING, Trigger.ENDED): State.CLOSING,
    (State.CONNECTING, Trigger.CONNECTION_LOST): State.CLOSED,
    (State.CONNECTING, Trigger.FAULT_FOUND): State.FAULTED,
    (State.GREETING, Trigger.GREETED): State.ADMISSION,
    (State.GREETING, Trigger.FAULT_FOUND): State.FAULTED,
    (State.GREETING, Trigger.PEER_ENDED): State.DRAINING,
    (State.GREETING, Trigger.ENDED): State.CLOSING,
    (State.GREETING, Trigger.CONNECTION_LOST): State.CLOSED,
    (State.ADMISSION, Trigger.ADMITTED): State.ESTABLISHED,
    (State.ADMISSION, Trigger.FAULT_FOUND): State.FAULTED,
    (State.ADMISSION, Trigger.PEER_ENDED): State.DRAINING,
    (State.ADMISSION, Trigger.ENDED): State.CLOSING,
    (State.ADMISSION, Trigger.CONNECTION_LOST): State.CLOSED,
    (State.ESTABLISHED, Trigger.FAULT_FOUND): State.FAULTED,
    (State.ESTABLISHED, Trigger.PEER_ENDED): State.DRAINING,
    (State.ESTABLISHED, Trigger.ENDED): State.CLOSING,
    (State.ESTABLISHED, Trigger.CONNECTION_LOST): State.CLOSED,
    (State.FAULTED, Trigger.ENDED): State.CLOSING,
    (State.FAULTED, Trigger.CONNECTION_LOST): State.CLOSED,
    (State.DRAINING, Trigger.CONNECTION_LOST): State.CLOSED,
    (State.CLOSING, Trigger.CONNECTION_LOST): State.CLOSED,
}

OVER = frozenset({State.DRAINING, State.CLOSING, State.CLOSED})
"""The session has ended."""
DEAF = OVER | {State.FAULTED}
"""No more bytes are taken from the peer, and time does nothing."""
SILENT = frozenset({State.CLOSING, State.CLOSED})
"""Nothing more can be said to the peer."""
TAKING = frozenset({State.ESTABLISHED, State.FAULTED, State.DRAINING})
"""Messages of other members still reach the peer."""

advance = advance_in("a session", TRANSITIONS)
"""Returns the state after a trigger; see `chatd.transitions.advance_in`."""
