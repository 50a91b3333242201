"""One `LoopingCall` for all the heartbeats of a factory."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from chatd.transport.clock import looping_call

__all__ = ["HeartbeatWheel", "Ticking"]

SLOTS = 100
"""Number of slots in an interval; with 10,000 sessions, each slot pings 100, in milliseconds."""


class Ticking(Protocol):
    """An object that the wheel ticks."""

    def tick(self, now: float) -> None:
        """Act on the time, in the clock's seconds."""


class HeartbeatWheel:
    """Ticks each of its members once an interval.

    The interval is divided into slots, and each member has a place in one slot. One `LoopingCall`
    goes from slot to slot. That spreads the work over the interval: pinging ten thousand sessions
    in one burst would block everything else.

    Args:
        clock: The reactor, or a test's clock.
        interval_s: Seconds between two ticks of the same member.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, interval_s: float) -> None:
        self._clock = clock
        self._slot_s = interval_s / SLOTS
        self._slots: list[dict[Ticking, None]] = [{} for _ in range(SLOTS)]
        self._position = 0
        self._places: dict[Ticking, int] = {}
        self._loop: LoopingCall | None = None

    @property
    def is_running(self) -> bool:
        """Whether the loop runs: it does exactly while the wheel has members."""
        return self._loop is not None

    def __len__(self) -> int:
        return len(self._places)

    def add(self, ticking: Ticking) -> None:
        """Add a member; its first tick comes after at most one interval.

        Of the slots with at most a fair share of members, it gets the slot that is ticked last.
        """
        fair = len(self._places) // SLOTS
        places = ((self._position - back) % SLOTS for back in range(1, SLOTS + 1))
        place = next(place for place in places if len(self._slots[place]) <= fair)
        self._places[ticking] = place
        self._slots[place][ticking] = None
        if self._loop is None:
            # A new loop each time: a loop that stops and starts within its own call would run
            # twice, and a loop that is started again would count the time when it was stopped.
            self._loop = looping_call(self._clock, self._turn, counts=True)
            self._loop.start(self._slot_s, now=False)

    def discard(self, ticking: Ticking) -> None:
        """Remove a member; do nothing if it is not on the wheel."""
        place = self._places.pop(ticking, None)
        if place is not None:
            del self._slots[place][ticking]
        if not self._places and self._loop is not None:
            loop, self._loop = self._loop, None
            loop.stop()

    def _turn(self, slots_passed: int) -> None:
        """Tick the slots that are due; slots missed in a stall are ticked only once."""
        now = self._clock.seconds()
        for _ in range(min(slots_passed, SLOTS)):
            due = self._slots[self._position]
            self._position = (self._position + 1) % SLOTS
            for ticking in list(due):
                try:
                    ticking.tick(now)
                except Exception:  # the others are still ticked
                    self.log.failure("a heartbeat failed")
