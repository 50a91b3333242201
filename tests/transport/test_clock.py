"""Tests of `chatd.transport.clock`; tests/test_no_reactor.py has what it is for."""

from __future__ import annotations

import time
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from chatd.transport.clock import go_by_monotonic_time


class WallClockReactor:
    """What of a reactor is looked at."""

    def __init__(self, *, is_running: bool = False, timers: int = 0) -> None:
        self.seconds: Callable[[], float] = time.time
        self.running = is_running
        self._timers = [object()] * timers

    def getDelayedCalls(self) -> list[object]:
        return self._timers


class TimeTests(SynchronousTestCase):
    """A reactor goes by a clock that nobody sets."""

    def test_monotonic(self) -> None:
        """One that goes by the wall clock, and has not begun, goes by the other from then on."""
        reactor = WallClockReactor()
        go_by_monotonic_time(reactor)
        self.assertIs(reactor.seconds, time.monotonic)

    def test_left_alone(self) -> None:
        """One that has begun to count would lose its way; one of another clock has its reasons."""
        other = WallClockReactor()
        other.seconds = own = lambda: 7.0
        go_by_monotonic_time(other)
        self.assertIs(other.seconds, own)
        for reactor in (WallClockReactor(is_running=True), WallClockReactor(timers=1)):
            go_by_monotonic_time(reactor)
            self.assertIs(reactor.seconds, time.time)
