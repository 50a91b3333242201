"""Liveness: pings that are due, and peers that are silent for too long; callers pass the time."""

from __future__ import annotations

from enum import Enum

__all__ = ["SILENT_INTERVALS", "Liveness", "Pulse"]

SILENT_INTERVALS = 3
"""Number of intervals without a valid frame that end a session."""

GATHERING_BYTES = 16 * 1024
"""Bytes of an incomplete frame that count as a sign of life."""

_TOLERANCE = 0.1
"""Fraction of an interval by which a look may come early, because timers are not exact."""


class Pulse(Enum):
    """The result of one look at the time."""

    EARLY = "early"
    DUE = "due"
    LOST = "lost"


class Liveness:
    """Counts the intervals in which a peer was silent.

    It counts intervals at each look, and does not compute them from the time. If this process was
    stopped for a minute, the peer was not silent: its frames are waiting to be read.

    Args:
        interval_s: Seconds between two pings.
        now: The time, in seconds of any clock; later calls use the same clock.

    Attributes:
        was_heard: Set it at every sign of life: a valid frame of any type.
    """

    __slots__ = ("_due", "_gathered", "_silent_intervals", "interval_s", "was_heard")

    def __init__(self, interval_s: float, now: float) -> None:
        self.interval_s = interval_s
        self._due = now
        self._silent_intervals = 0
        self._gathered = 0
        self.was_heard = False

    @property
    def silence_s(self) -> float:
        """How long a peer must be silent to be lost, in seconds."""
        return SILENT_INTERVALS * self.interval_s

    def note_gathered(self, gathered_bytes: int) -> None:
        """Count `GATHERING_BYTES` more of a long frame as a sign of life; fewer do not count.

        Args:
            gathered_bytes: Number of bytes received so far of an incomplete frame.
        """
        if gathered_bytes < self._gathered:
            self._gathered = 0
        if gathered_bytes - self._gathered >= GATHERING_BYTES:
            self._gathered = gathered_bytes
            self.was_heard = True

    def look(self, now: float) -> Pulse:
        """Return whether an interval has ended, and whether the peer is silent for too long.

        The first look always ends an interval, so a caller with many peers may spread them over the
        interval.

        Returns:
            `EARLY` within an interval; `DUE` once at the end of each interval, when a ping is due;
            `LOST` at the end of the last of `SILENT_INTERVALS` silent intervals in a row.
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
