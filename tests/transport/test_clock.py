"""Tests of `chatd.transport.clock`; tests/test_no_reactor.py tests that it installs no reactor."""

from __future__ import annotations

import time
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from chatd.transport.clock import go_by_monotonic_time


class WallClockReactor:
    """The parts of a reactor that the function reads."""

    def __init__(self, *, is_running: bool = False, timers: int = 0) -> None:
        self.seconds: Callable[[], float] = time.time
        self.running = is_running
        self._timers = [object()] * timers

    def getDelayedCalls(self) -> list[object]:
        return self._timers


class TimeTests(SynchronousTestCase):
    """A reactor uses a clock that nobody can set."""

    def test_monotonic(self) -> None:
        """A reactor with the wall clock that has not started gets the monotonic clock."""
        reactor = WallClockReactor()
        go_by_monotonic_time(reactor)
        self.assertIs(reactor.seconds, time.monotonic)

    def test_left_alone(self) -> None:
        """A reactor that runs, has timers or uses another clock stays unchanged."""
        other = WallClockReactor()
        other.seconds = own = lambda: 7.0
        go_by_monotonic_time(other)
        self.assertIs(other.seconds, own)
        for reactor in (WallClockReactor(is_running=True), WallClockReactor(timers=1)):
            go_by_monotonic_time(reactor)
            self.assertIs(reactor.seconds, time.time)
