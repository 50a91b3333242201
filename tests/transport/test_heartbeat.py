"""Tests of the heartbeat wheel: one loop for all sessions, spread over the interval."""

from __future__ import annotations

from collections import Counter

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.transport.heartbeat import SLOTS, HeartbeatWheel

INTERVAL_S = 5.0
SLOT_S = INTERVAL_S / SLOTS


class FakeSession:
    """Records the times of its ticks."""

    def __init__(self) -> None:
        self.ticks: list[float] = []

    def tick(self, now: float) -> None:
        self.ticks.append(now)


class WheelTests(SynchronousTestCase):
    """A wheel on a clock that stands still."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.wheel = HeartbeatWheel(self.clock, INTERVAL_S)

    def turn(self, slots: int) -> None:
        """Advance the clock by some slots; it never stops short of a slot's end."""
        for _ in range(slots):
            self.clock.advance(SLOT_S + 1e-9)

    def add(self, count: int) -> list[FakeSession]:
        """Add new sessions to the wheel."""
        sessions = [FakeSession() for _ in range(count)]
        for session in sessions:
            self.wheel.add(session)
        return sessions


class OneLoopTests(WheelTests):
    """All heartbeats share a loop, which runs while it has members."""

    def test_ten_thousand_sessions_one_call(self) -> None:
        """Ten thousand sessions need one call of the clock; each ticks once an interval."""
        sessions = self.add(10_000)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.turn(SLOTS)
        self.assertEqual({len(session.ticks) for session in sessions}, {1})
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.turn(SLOTS)
        self.assertEqual({len(session.ticks) for session in sessions}, {2})
        self.assertEqual(len(self.wheel), 10_000)

    def test_spread_over_the_slots(self) -> None:
        """No slot has more than its fair share of sessions."""
        sessions = self.add(10_000)
        self.turn(SLOTS)
        slots = Counter(session.ticks[0] for session in sessions)
        self.assertEqual(set(slots.values()), {10_000 // SLOTS})

    def test_empty_wheel_stands_still(self) -> None:
        """An empty wheel schedules no call."""
        self.assertFalse(self.wheel.is_running)
        (session,) = self.add(1)
        self.assertTrue(self.wheel.is_running)
        self.wheel.discard(session)
        self.assertFalse(self.wheel.is_running)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.wheel), 0)

    def test_starts_again(self) -> None:
        """A stopped wheel starts again, with one call."""
        (first,) = self.add(1)
        self.turn(3)
        self.wheel.discard(first)
        self.clock.advance(100)
        (second,) = self.add(1)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.turn(SLOTS)
        self.assertEqual((first.ticks, len(second.ticks)), ([], 1))

    def test_starts_again_from_the_beginning(self) -> None:
        """The wheel does not make up for stopped time: a new session waits its turn."""
        (first,) = self.add(1)
        self.turn(SLOTS)
        self.wheel.discard(first)
        self.clock.advance(100)
        (second,) = self.add(1)
        self.turn(SLOTS - 1)
        self.assertEqual(second.ticks, [])
        self.turn(1)
        self.assertEqual(len(second.ticks), 1)

    def test_last_one_leaves_while_it_is_ticked(self) -> None:
        """The wheel stops if its last session leaves in its own tick."""
        (session,) = self.add(1)
        session.tick = lambda now: self.wheel.discard(session)
        self.turn(2 * SLOTS)
        self.assertFalse(self.wheel.is_running)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_replaced_while_it_is_ticked(self) -> None:
        """A single loop remains if a session joins in the tick in which the last one leaves."""
        (session,) = self.add(1)
        other = FakeSession()

        def replace(now: float) -> None:
            self.wheel.discard(session)
            self.wheel.add(other)

        session.tick = replace
        self.turn(SLOTS)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.turn(SLOTS)
        self.assertEqual(len(other.ticks), 1)


class TickTests(WheelTests):
    """Each session on the wheel is ticked once an interval, and no other session is."""

    def test_first_tick_within_an_interval(self) -> None:
        """A session that joins at any time ticks within one interval, then once in each."""
        sessions: list[tuple[float, FakeSession]] = []
        for _ in range(SLOTS + 7):
            sessions.append((self.clock.seconds(), self.add(1)[0]))
            self.turn(1)
        self.turn(3 * SLOTS)
        for added, session in sessions:
            self.assertLessEqual(session.ticks[0] - added, INTERVAL_S + 1e-6)
            for before, after in zip(session.ticks, session.ticks[1:], strict=False):
                self.assertAlmostEqual(after - before, INTERVAL_S, places=5)

    def test_time_is_told(self) -> None:
        """A tick gets the clock's time."""
        self.clock.advance(1000)
        (session,) = self.add(1)
        self.turn(SLOTS)
        self.assertEqual(session.ticks, [self.clock.seconds()])

    def test_discarded_is_ticked_no_more(self) -> None:
        """A session that has left is ticked no more, and the others still are."""
        leaver, stayer = self.add(2)
        self.turn(SLOTS)
        self.wheel.discard(leaver)
        self.turn(2 * SLOTS)
        self.assertEqual((len(leaver.ticks), len(stayer.ticks)), (1, 3))

    def test_discard_of_a_stranger(self) -> None:
        """A session that is not on the wheel can be discarded without an error."""
        (session,) = self.add(1)
        self.wheel.discard(FakeSession())
        self.assertEqual(len(self.wheel), 1)
        self.wheel.discard(session)
        self.wheel.discard(session)
        self.assertEqual(len(self.wheel), 0)

    def test_stall_is_ticked_once(self) -> None:
        """After a stall of many intervals, each session is ticked once."""
        sessions = self.add(2 * SLOTS)
        self.clock.advance(100 * INTERVAL_S)
        self.assertEqual({len(session.ticks) for session in sessions}, {1})

    def test_short_stall_misses_nobody(self) -> None:
        """After a stall of some slots, the sessions in these slots are ticked, and no others."""
        sessions = self.add(SLOTS)
        self.clock.advance(10 * SLOT_S + 1e-9)
        self.assertEqual(sum(len(session.ticks) for session in sessions), 10)
        self.turn(SLOTS - 10)
        self.assertEqual({len(session.ticks) for session in sessions}, {1})
