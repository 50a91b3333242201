"""Tests of `chatd.server.pace`."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.server.limits import Limits
from chatd.server.pace import (
    LONG_COMMAND_S,
    MAX_ANSWERED,
    MAX_COMMANDS_IN_TURN,
    OTHERS_SHARE,
    TOKEN_BYTES,
    Pace,
)
from chatd.server.throttle import BURST_S

RATE = 10
BURST = round(RATE * BURST_S)


class PaceTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.pace = Pace(self.clock, Limits(message_rate=RATE, command_rate=RATE))

    def assert_waits(self, waited, delay_s):
        """Check that the client may go on after so many seconds, and not before."""
        self.assertTrue(self.pace.is_waiting)
        self.clock.advance(delay_s * 0.9)
        self.assertNoResult(waited)
        self.clock.advance(delay_s * 0.11)
        self.assertIsNone(self.successResultOf(waited))
        self.assertFalse(self.pace.is_waiting)

    def test_messages(self):
        """A burst of messages is free; the next message waits for its token."""
        self.pace.count_messages(BURST)
        self.assertIsNone(self.pace.throttle())
        self.pace.count_messages(1)
        self.assert_waits(self.pace.throttle(), 1 / RATE)

    def test_bytes(self):
        """A kibibyte counts like a message."""
        self.pace.count_data(BURST * TOKEN_BYTES)
        self.assertIsNone(self.pace.throttle())
        self.pace.count_data(TOKEN_BYTES)
        self.assert_waits(self.pace.throttle(), 1 / RATE)

    def test_counted_once(self):
        """Counted messages do not count again at the next call."""
        self.pace.count_data((BURST + 1) * TOKEN_BYTES)
        self.assert_waits(self.pace.throttle(), 1 / RATE)
        self.assertIsNone(self.pace.throttle())

    def test_carried(self):
        """A message that a short frame carried counts with the frame; the next counts itself."""
        self.pace.count_frames(1, 2)
        for _ in range(BURST - 1):
            self.pace.count_messages(1)
        self.assertIsNone(self.pace.throttle())
        self.pace.count_messages(1)
        self.assert_waits(self.pace.throttle(), 1 / RATE)

    def test_answers(self):
        """Other clients have their turn after each so many answers."""
        for _ in range(2):
            turns = [self.pace.count_answer() for _ in range(MAX_ANSWERED)]
            self.assertEqual(turns, [False] * (MAX_ANSWERED - 1) + [True])

    def test_answers_are_messages(self):
        """An answer counts as a message."""
        for _ in range(BURST + 1):
            self.pace.count_answer()
        self.assert_waits(self.pace.throttle(), 1 / RATE)

    def test_commands_in_turn(self):
        """A few commands run in a turn; the next command runs in the next turn."""
        for _ in range(MAX_COMMANDS_IN_TURN - 1):
            self.assertIsNone(self.pace.count_command(0.0))
        waited: Any = self.pace.count_command(0.0)
        self.assertNoResult(waited)
        self.clock.advance(0)
        self.assertIsNone(self.successResultOf(waited))
        self.pace.begin_turn()
        self.assertIsNone(self.pace.count_command(0.0))

    def test_long_command(self):
        """After a long command, other clients get a multiple of its time."""
        self.assertIsNone(self.pace.count_command(LONG_COMMAND_S))
        self.assert_waits(self.pace.count_command(1.0), OTHERS_SHARE)

    def test_stop(self):
        """When the connection has ended, the client never goes on, and no timer remains."""
        waited = self.pace.wait(5)
        self.pace.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertNoResult(waited)
