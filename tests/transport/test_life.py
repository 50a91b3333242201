"""Tests of the states of a transport."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import LocalProtocolError
from chatd.transport.life import OVER, TRANSITIONS, Life, Trigger, advance


class LifeTests(SynchronousTestCase):
    def reachable(self, start: Life) -> set[Life]:
        """Return the states that a transport can reach."""
        found, left = {start}, [start]
        while left:
            life = left.pop()
            after = {then for (before, _), then in TRANSITIONS.items() if before is life}
            left += after - found
            found |= after
        return found

    def test_whole(self):
        """Every state can be reached from the first, and the last from all others."""
        self.assertEqual(self.reachable(Life.NEW), set(Life))
        for life in Life:
            self.assertIn(Life.GONE, self.reachable(life))

    def test_no_way_back(self):
        """A session that has ended stays ended, and a lost transport stays lost."""
        for life in OVER:
            self.assertLessEqual(self.reachable(life), OVER)
        self.assertEqual(self.reachable(Life.GONE), {Life.GONE})

    def test_always_possible(self):
        """A transport may end or fail in any state until it is lost."""
        for life in set(Life) - {Life.GONE}:
            self.assertIs(advance(life, Trigger.LOST), Life.GONE)
            self.assertIn(advance(life, Trigger.FAILED), OVER)

    def test_either_first(self):
        """The result does not depend on which side finishes first."""
        for first, last in (("CLOSED", "PEER_FINISHED"), ("PEER_FINISHED", "CLOSED")):
            life = advance(advance(Life.OPEN, Trigger[first]), Trigger[last])
            self.assertIs(life, Life.FINISHED)

    def test_impossible(self):
        """A change that is not in the table raises the caller's error."""
        with self.assertRaises(LocalProtocolError) as caught:
            advance(Life.GONE, Trigger.BEGUN)
        self.assertEqual(str(caught.exception), "a transport that is gone cannot be begun")
