"""Tests of events that happen once in a session, and the Deferreds that wait for them."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.milestone import Milestone
from chatd.errors import SessionEnded

LOST = SessionEnded("connection-lost", "the connection was lost", retry=True)


class MilestoneTests(SynchronousTestCase):
    """A milestone fires all waiting Deferreds."""

    def setUp(self) -> None:
        self.milestone: Milestone[str] = Milestone()

    def test_before_and_after(self) -> None:
        """A waiting Deferred fires with the event, and a later Deferred at once."""
        before = self.milestone.wait()
        self.assertNoResult(before)
        self.assertFalse(self.milestone.is_reached)
        self.milestone.reach(lambda: "done")
        self.assertTrue(self.milestone.is_reached)
        self.assertEqual(self.successResultOf(before), "done")
        self.assertEqual(self.successResultOf(self.milestone.wait()), "done")

    def test_an_outcome_for_each(self) -> None:
        """Each Deferred fires with its own outcome."""
        waiting = [self.milestone.wait(), self.milestone.wait()]
        outcomes = iter(("one", "two", "three"))
        self.milestone.reach(lambda: next(outcomes))
        waiting.append(self.milestone.wait())
        self.assertEqual(list(map(self.successResultOf, waiting)), ["one", "two", "three"])

    def test_fails(self) -> None:
        """The waiting Deferreds fail if the event will not happen."""
        waiting = self.milestone.wait()
        self.milestone.fail(LOST)
        self.assertIs(self.failureResultOf(waiting, SessionEnded).value, LOST)
        self.assertFalse(self.milestone.is_reached)

    def test_reached_before_it_fails(self) -> None:
        """A reached milestone stays reached."""
        self.milestone.reach(lambda: "done")
        self.milestone.fail(LOST)
        self.assertEqual(self.successResultOf(self.milestone.wait()), "done")

    def test_cancelled(self) -> None:
        """A cancelled Deferred does not fire, and the others fire or fail."""
        for end in (lambda: self.milestone.fail(LOST), lambda: self.milestone.reach(str)):
            cancelled, other = self.milestone.wait(), self.milestone.wait()
            cancelled.cancel()
            self.failureResultOf(cancelled, CancelledError)
            end()
            self.assertTrue(other.called)
            other.addErrback(lambda _: None)

    def test_asked_while_it_happens(self) -> None:
        """A Deferred that is requested while the others fire also fires."""
        again = self.milestone.wait().addCallback(lambda _: self.milestone.wait())
        self.milestone.reach(lambda: "done")
        self.assertEqual(self.successResultOf(again), "done")
