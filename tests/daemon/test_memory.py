"""Tests of `chatd.daemon.memory`."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.daemon.memory import EXODUS, LOOK_S, MemoryService, give_back_memory


class MemoryServiceTests(SynchronousTestCase):
    """The daemon gives memory back after many connections have closed."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.gone = self.given_back = 0
        self.service = MemoryService(self.clock, lambda: self.gone, self.give_back)
        self.service.startService()

    def give_back(self, *, is_quiet: bool) -> None:
        self.given_back += 1
        self.assertEqual(is_quiet, self.gone == self.before)

    def after(self, departures: int) -> int:
        """Close some; return how often the daemon gave memory back until after the next look."""
        self.before = self.gone
        self.gone += departures
        self.clock.advance(LOOK_S)
        return self.given_back

    def test_many(self) -> None:
        """The daemon gives it back after many, and again when no more close; not after a few."""
        self.assertEqual([self.after(EXODUS - 1), self.after(0)], [0, 0])
        self.assertEqual([self.after(1), self.after(1), self.after(0), self.after(0)], [1, 1, 2, 2])
        self.assertEqual([self.after(1), self.after(0)], [2, 2])

    def test_again_and_again(self) -> None:
        """While connections keep closing, the daemon gives it back at each look."""
        self.assertEqual([self.after(EXODUS) for _ in range(3)], [1, 2, 3])

    def test_stopped(self) -> None:
        """No timer remains after a stop, even if the service never started."""
        self.service.stopService()
        MemoryService(self.clock, lambda: 0).stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_for_real(self) -> None:
        """The C library gives memory back, or cannot; neither is an error."""
        for is_quiet in (False, True):
            give_back_memory(is_quiet=is_quiet)
