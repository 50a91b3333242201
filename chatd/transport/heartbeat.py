"""One `LoopingCall` for all the heartbeats of a factory."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from chatd.transport.clock import looping_call

__all__ = ["HeartbeatWheel", "Ticking"]

SLOTS = 100
"""In how many parts an interval is cut: of 10,000 sessions each pings 100, in some milliseconds."""


class Ticking(Protocol):
    """Who is told that time passes."""

    def tick(self, now: float) -> None:
        """Act on the time, in the clock's seconds."""


class HeartbeatWheel:
    """Ticks everyone on it once an interval.

    The interval is cut into slots, everyone has a place in one of them, and the one `LoopingCall`
    goes from slot to slot: the work is spread over the interval, so that ten thousand sessions are
    never pinged in one burst that holds up everything else.

    Args:
        clock: What tells the time; the reactor, or a test's clock.
        interval_s: How often each is ticked, in seconds.
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
        """Whether the loop runs: exactly while there is someone on the wheel."""
        return self._loop is not None

    def __len__(self) -> int:
        return len(self._places)

    def add(self, ticking: Ticking) -> None:
        """Tick someone, for the first time in at most one interval from now.

        The place is the one whose turn comes last of those that hold no more than a fair share.
        """
        fair = len(self._places) // SLOTS
        places = ((self._position - back) % SLOTS for back in range(1, SLOTS + 1))
        place = next(place for place in places if len(self._slots[place]) <= fair)
        self._places[ticking] = place
        self._slots[place][ticking] = None
        if self._loop is None:
            # A new one each time: one that stops and starts in its own call would go on twice, and
            # one that starts again would count the time in which it stood still.
            self._loop = looping_call(self._clock, self._turn, counts=True)
            self._loop.start(self._slot_s, now=False)

    def discard(self, ticking: Ticking) -> None:
        """Tick someone no more, whoever it is."""
        place = self._places.pop(ticking, None)
        if place is not None:
            del self._slots[place][ticking]
        if not self._places and self._loop is not None:
            loop, self._loop = self._loop, None
            loop.stop()

    def _turn(self, slots_passed: int) -> None:
        """Tick the slots whose time has come; those missed in a stall are ticked once, not more."""
        now = self._clock.seconds()
        for _ in range(min(slots_passed, SLOTS)):
            due = self._slots[self._position]
            self._position = (self._position + 1) % SLOTS
            for ticking in list(due):
                try:
                    ticking.tick(now)
                except Exception:  # the others are to be ticked all the same
                    self.log.failure("a heartbeat failed")
