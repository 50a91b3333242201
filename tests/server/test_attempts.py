"""Tests of `chatd.server.attempts`."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.server.attempts import Attempts

ALICE = "192.0.2.1"
BOB = "192.0.2.2"


class AttemptsTests(SynchronousTestCase):
    def setUp(self):
        self.attempts = Attempts()

    def granted(self, address, now, asked=100):
        """Return the number of attempts that an address has at once."""
        return sum(self.attempts.take(address, now) == 0 for _ in range(asked))

    def test_burst(self):
        """Each address has ten attempts at once."""
        self.assertEqual(self.granted(ALICE, 1000), 10)
        self.assertEqual(self.granted(BOB, 1000), 10)

    def test_refill(self):
        """An address gets another attempt every six seconds, up to ten."""
        self.granted(ALICE, 1000)
        self.assertEqual(self.granted(ALICE, 1005.9), 0)
        for number in range(1, 20):
            self.assertEqual(self.granted(ALICE, 1000 + 6 * number), 1)
        self.assertEqual(self.granted(ALICE, 1114 + 18), 3)
        self.assertEqual(self.granted(ALICE, 9999), 10)

    def test_wait(self):
        """A refused attempt costs nothing, and returns the time to wait."""
        self.granted(ALICE, 1000)
        self.assertAlmostEqual(self.attempts.take(ALICE, 1000), 6)
        self.assertAlmostEqual(self.attempts.take(ALICE, 1004), 2)
        self.assertEqual(self.attempts.take(ALICE, 1006), 0)

    def test_give_back(self):
        """The address can use a returned token again; the bucket never overflows."""
        for _ in range(50):
            self.assertEqual(self.attempts.take(ALICE, 1000), 0)
            self.attempts.give_back(ALICE, 1000)
        self.attempts.give_back(ALICE, 1000)
        self.attempts.give_back(BOB, 1000)
        self.assertEqual(self.granted(ALICE, 1000), 10)
        self.attempts.give_back(ALICE, 1000)
        self.assertEqual(self.granted(ALICE, 1000), 1)
        self.assertEqual(self.granted(BOB, 1000), 10)

    def test_same_bucket(self):
        """An IPv6 /64 counts as one address, and a mapped IPv4 address as the IPv4 address."""
        for addresses in (
            ("2001:db8::1", "2001:db8::2", "2001:DB8:0:0:ffff:ffff:ffff:ffff"),
            ("192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201"),
            ("fe80::1%eth0", "fe80::2%eth1"),
        ):
            self.attempts = Attempts()
            granted = [self.granted(address, 0, asked=9) for address in addresses]
            self.assertEqual(granted, [9, 1, 0][: len(addresses)])

    def test_other_bucket(self):
        """Other prefixes, other mapped IPv4 addresses and other users count separately."""
        for address in (
            "2001:db8::1",
            "2001:db8:0:1::1",
            "::ffff:192.0.2.1",
            "::ffff:192.0.2.2",
            "uid:1000",
            "uid:1001",
            "local",
        ):
            self.assertEqual(self.granted(address, 0), 10, address)

    def test_full_are_forgotten(self):
        """The server forgets full buckets."""
        self.attempts.take(ALICE, 1000)
        self.assertEqual(len(self.attempts), 1)
        self.attempts.give_back(ALICE, 1000)
        self.assertEqual(len(self.attempts), 0)
        for number in range(100):
            self.attempts.take(f"uid:{number}", 1000)
        self.assertEqual(len(self.attempts), 100)
        self.attempts.take(ALICE, 1005.9)
        self.assertEqual(len(self.attempts), 101)
        self.attempts.take(BOB, 1006)
        self.assertEqual(len(self.attempts), 2)

    def test_bounded(self):
        """Beyond the bound, the address with the oldest granted attempt is forgotten."""
        self.attempts = Attempts(burst=2, interval_s=6, max_addresses=3)
        for address in ("a", "b", "c", "a", "d", "d"):
            self.assertEqual(self.attempts.take(address, 1000), 0)
        self.assertEqual(len(self.attempts), 3)
        self.assertGreater(self.attempts.take("a", 1000), 0)
        self.assertGreater(self.attempts.take("d", 1000), 0)
        self.assertEqual(self.granted("c", 1000), 1)
        self.assertEqual(self.granted("b", 1000), 2)
