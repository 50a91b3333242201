"""Liveness: when to ping, and when silence has lasted too long; the time is passed in."""

from __future__ import annotations

from enum import Enum

__all__ = ["SILENT_INTERVALS", "Liveness", "Pulse"]

SILENT_INTERVALS = 3
"""How many intervals without a valid frame end a session."""

GATHERING_BYTES = 16 * 1024
"""So much more of a frame that is not whole yet is a sign of life, in bytes."""

_TOLERANCE = 0.1
"""A look this share of an interval before its end counts as its end: timers are not exact."""


class Pulse(Enum):
    """What one look at the time says."""

    EARLY = "early"
    DUE = "due"
    LOST = "lost"


class Liveness:
    """Counts the intervals in which a peer said nothing.

    Intervals are counted when they are looked at, not computed from the time: if this process was
    stopped for a minute, that is no silence of the peer's, whose words are waiting to be read.

    Args:
        interval_s: Seconds between two pings.
        now: The time, in seconds of any clock; later calls use the same one.

    Attributes:
        was_heard: To be set at every sign of life: a valid frame of any type.
    """

    __slots__ = ("_due", "_gathered", "_silent_intervals", "interval_s", "was_heard")

    def __init__(self, interval_s: float, now: float) -> None:
        self.interval_s = interval_s
        self._due = now
        self._silent_intervals = 0
        self._gathered = 0
        self.was_heard = False

    def note_gathered(self, gathered_bytes: int) -> None:
        """Count a good piece of a long frame as a sign of life; a trickle is none.

        Args:
            gathered_bytes: How much has arrived of a frame that is not whole.
        """
        if gathered_bytes < self._gathered:
            self._gathered = 0
        if gathered_bytes - self._gathered >= GATHERING_BYTES:
            self._gathered = gathered_bytes
            self.was_heard = True

    def look(self, now: float) -> Pulse:
        """Say whether an interval is over, and whether the peer has been silent for too many.

        The first look ends an interval whenever it comes; so whoever looks at many peers may
        spread them over the interval.

        Returns:
            `EARLY` inside an interval; `DUE` once at the end of each: a ping is due; `LOST` at the
            end of the last of `SILENT_INTERVALS` in which nothing was heard.
        """
        if now < self._due - _TOLERANCE * self.interval_s:
            return Pulse.EARLY
        self._due = now + self.interval_s
        if self.was_heard:
            self.was_heard = False
            self._silent_intervals = 0
            return Pulse.DUE
        self._silent_intervals += 1
        return Pulse.LOST if self._silent_intervals >= SILENT_INTERVALS else Pulse.DUE
