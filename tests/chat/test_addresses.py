"""Tests of addresses: however a person writes one, it is the one that members have."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.chat.addresses import plain_address, plain_ip


class AddressTests(SynchronousTestCase):
    def test_spellings(self):
        """Zones, zeros, capitals and IPv4 in IPv6 make no difference."""
        for written, plain in (
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:DB8:0::1", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("uid:1000", "uid:1000"),
            ("uid:001000", "uid:1000"),
            ("uid:0", "uid:0"),
        ):
            self.assertEqual(plain_address(written), plain, written)

    def test_none(self):
        """What is no address is none."""
        for written in ("", "alice", "192.0.2", "192.0.2.1/24", "uid:", "uid:x", "uid:-1", "local"):
            self.assertIs(plain_address(written), None, written)
        self.assertIs(plain_ip("uid:1000"), None)
