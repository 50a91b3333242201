"""Tests of the life of a transport."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import LocalProtocolError
from chatd.transport.life import CHANGES, OVER, Change, Life, changed


class LifeTests(SynchronousTestCase):
    def reachable(self, start: Life) -> set[Life]:
        """The states that a transport may come to."""
        found, left = {start}, [start]
        while left:
            life = left.pop()
            after = {then for (before, _), then in CHANGES.items() if before is life}
            left += after - found
            found |= after
        return found

    def test_whole(self):
        """Every state can be reached from the first one, and each but the last leads to the end."""
        self.assertEqual(self.reachable(Life.NEW), set(Life))
        for life in Life:
            self.assertIn(Life.GONE, self.reachable(life))

    def test_no_way_back(self):
        """A session that is over stays over, and what is gone stays gone."""
        for life in OVER:
            self.assertLessEqual(self.reachable(life), OVER)
        self.assertEqual(self.reachable(Life.GONE), {Life.GONE})

    def test_always_possible(self):
        """Until it is gone a transport may be lost or fail, whatever it does."""
        for life in set(Life) - {Life.GONE}:
            self.assertIs(changed(life, Change.LOST), Life.GONE)
            self.assertIn(changed(life, Change.FAILED), OVER)

    def test_either_first(self):
        """It is the same which side finishes first."""
        for order in ((Change.CLOSED, Change.PEER_FINISHED), (Change.PEER_FINISHED, Change.CLOSED)):
            life = Life.OPEN
            for change in order:
                life = changed(life, change)
            self.assertIs(life, Life.FINISHED)

    def test_impossible(self):
        """What the table does not have is a mistake of the caller's, and is told as one."""
        with self.assertRaises(LocalProtocolError) as caught:
            changed(Life.GONE, Change.BEGUN)
        self.assertEqual(str(caught.exception), "a transport that is gone cannot be begun")
