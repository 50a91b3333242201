"""Tests of the delayed call."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.transport.timer import Timer


class TimerTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.timer = Timer(self.clock)
        self.calls = []

    def test_in_time(self):
        """The timer calls once, at its time."""
        self.timer.start(5, lambda: self.calls.append("made"))
        self.clock.advance(4.9)
        self.assertEqual((self.calls, self.timer.is_running), ([], True))
        self.clock.advance(0.1)
        self.assertEqual((self.calls, self.timer.is_running), (["made"], False))
        self.clock.advance(10)
        self.assertEqual(self.calls, ["made"])

    def test_stopped(self):
        """A stopped timer never calls; stopping twice is not an error."""
        self.timer.start(5, lambda: self.calls.append("made"))
        self.timer.stop()
        self.timer.stop()
        self.clock.advance(10)
        self.assertEqual((self.calls, self.clock.getDelayedCalls()), ([], []))

    def test_started_anew(self):
        """A new start replaces the scheduled call."""
        self.timer.start(5, lambda: self.calls.append("first"))
        self.timer.start(7, lambda: self.calls.append("second"))
        self.clock.advance(10)
        self.assertEqual(self.calls, ["second"])

    def test_started_by_its_call(self):
        """The call may start the timer again."""
        self.timer.start(1, lambda: self.timer.start(2, lambda: self.calls.append("made")))
        self.clock.advance(1)
        self.assertTrue(self.timer.is_running)
        self.clock.advance(2)
        self.assertEqual(self.calls, ["made"])
