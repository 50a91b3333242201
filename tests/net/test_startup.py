"""Tests of `chatd.net.startup`."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import StartupError
from chatd.net import startup
from chatd.net.limits import Limits
from chatd.net.startup import FEWEST, OWN, DescriptorService, go_by_monotonic_time


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


class RoomTests(SynchronousTestCase):
    """A daemon has room for those whom it is to serve, or says that it has not."""

    def start(self, room: float, limits: Limits = Limits()) -> list[str]:  # noqa: B008
        """Start where there is room for so many, and return what was logged."""
        self.patch(startup, "room_for_more", lambda: OWN + room)
        service = DescriptorService(limits)
        with capturedLogs() as events:
            service.privilegedStartService()
            service.startService()
        service.stopService()
        return list(map(formatEvent, events))

    def test_enough(self) -> None:
        """Where there is room for all, nothing is said; so it is with what systems mostly allow."""
        for room in (34_096, 1_048_000, float("inf")):
            self.assertEqual(self.start(room), [])
        self.assertEqual(self.start(30, Limits(max_sessions=20, max_unestablished=10)), [])

    def test_fewer(self) -> None:
        """Where there is room for fewer, one line says for how many, and what to do."""
        for room in (FEWEST, 4_000, 34_095):
            (line,) = self.start(room)
            for part in (f"for {room} connections", "ulimit -n", "30000 sessions", "4096 without"):
                self.assertIn(part, line)

    def test_too_few(self) -> None:
        """Where there is room for next to nobody, the daemon ends, in one line with the way out."""
        for room in (FEWEST - 1, -30):
            error = self.assertRaises(StartupError, self.start, room)
            self.assertRegex(
                str(error), r"^chatd: too few file descriptors: there are \d+, .* \(ulimit -n\)$"
            )

    def test_without_privileges(self) -> None:
        """It is looked at once, also where it is started without that step."""
        self.patch(startup, "room_for_more", lambda: OWN + FEWEST)
        service = DescriptorService(Limits())
        with capturedLogs() as events:
            service.startService()
        self.assertEqual(len(events), 1)
        self.patch(startup, "room_for_more", lambda: 0)
        self.assertRaises(StartupError, DescriptorService(Limits()).startService)
