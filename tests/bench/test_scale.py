"""A quick measurement of several daemons on a real Redis."""

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from bench.__main__ import QUICK
from bench.peers import PEERS, missing_peers
from bench.scale import DAEMONS, SCALE

ON_REDIS = ("chatd-redis", "chatd-redis-two")


class ScaleTests(SynchronousTestCase):
    """The figures of each peer, from short runs."""

    def setUp(self):
        if missing_peers(ON_REDIS):
            raise SkipTest("needs the program redis-server")

    def take(self, *names):
        notes: list[str] = []
        return SCALE.take([PEERS[name] for name in names], QUICK, notes.append)

    def test_figures(self):
        """Each peer has its figures, in each round; only two daemons have another daemon."""
        figures = self.take(*SCALE.peers)
        measured = {quantity: set(by_peer) for quantity, by_peer in figures.items()}
        for quantity in ("messages/s", "daemon CPU", "p50", "p99"):
            self.assertEqual(measured.pop(quantity), set(DAEMONS), quantity)
        for quantity in ("Redis CPU", "daemon CPU beyond memory"):
            self.assertEqual(measured.pop(quantity), set(ON_REDIS), quantity)
        self.assertEqual(measured, {"other daemon CPU": {"chatd-redis-two"}})
        for by_peer in figures.values():
            for values in by_peer.values():
                self.assertEqual(len(values), QUICK.rounds)
        for quantity in set(figures) - {"daemon CPU beyond memory"}:
            self.assertGreater(min(min(values) for values in figures[quantity].values()), 0)

    def test_targets(self):
        """Each target compares a quantity that a peer of the measure has."""
        figures = self.take("chatd", "chatd-redis")
        for target in SCALE.targets:
            reached = target.reached(figures)
            self.assertEqual(reached is None, target.of == "chatd-redis-two", target)

    def test_without_memory(self):
        """Without the daemon in memory, the bench compares nothing with it."""
        self.assertNotIn("daemon CPU beyond memory", self.take("chatd-redis"))
