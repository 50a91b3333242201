"""Tests of `chatd.net.startup`."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from chatd.net.startup import go_by_monotonic_time


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


class DescriptorTests(SynchronousTestCase):
    """A daemon opens as many files as it may."""

    def test_all(self) -> None:
        """The soft limit is raised to the hard one."""
        code = (
            "import resource; from chatd.net.startup import allow_all_descriptors as allow\n"
            "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
            "for soft in (64, hard):\n"
            "    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))\n"
            "    allow(); print(resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard))"
        )
        printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        self.assertEqual(printed.stdout.split(), [b"True", b"True"])
        self.assertGreater(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 64)
