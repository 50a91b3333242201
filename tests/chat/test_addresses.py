"""Tests of addresses: their one form, what counts as one address, and who learns of them."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.chat import presence
from chatd.chat.addresses import plain_address, plain_ip, site_of
from tests.chat.cases import ModerationCase
from tests.chat.wiring import HERE, THERE


class AddressTests(SynchronousTestCase):
    def test_spellings(self):
        """Zones, zeros, capitals and IPv4-mapped IPv6 make no difference."""
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
        """A text that is not an address gives None."""
        for written in ("", "alice", "192.0.2", "192.0.2.1/24", "uid:", "uid:x", "uid:-1", "local"):
            self.assertIs(plain_address(written), None, written)
        self.assertIs(plain_ip("uid:1000"), None)


class SiteTests(SynchronousTestCase):
    """Sites: a client cannot get another site by taking another of its addresses."""

    def test_networks(self):
        """All addresses of an IPv6 /64 are one site, and so are all loopback addresses."""
        for addresses in (
            ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", "2001:DB8:0:0:1::"),
            ("127.0.0.1", "127.0.0.2", "127.255.0.1", "::ffff:127.0.0.3", "::1"),
            ("192.0.2.1", "::ffff:192.0.2.1"),
        ):
            self.assertEqual(len({site_of(address) for address in addresses}), 1, addresses)

    def test_others(self):
        """The addresses of other clients are other sites."""
        apart = [
            *("2001:db8::1", "2001:db8:0:1::1", "127.0.0.1", "192.0.2.1", "192.0.2.2"),
            *("uid:127", "uid:0", "uid:1", "local", "1270.x", "::2"),
        ]
        self.assertEqual(len({site_of(address) for address in apart}), len(apart))
        self.assertEqual(site_of(site_of("127.0.0.1")), site_of("127.0.0.1"))


class HiddenTests(ModerationCase):
    """Ann and bob have the same address, and the operator has another."""

    is_over_redis = True

    def test_others(self):
        """No member learns the address of another, also when an operator bans it."""
        cat = self.chat.arrive("cat", address="192.0.2.3")
        dan = self.chat.arrive("dan", address=THERE)
        self.chat.say(self.ann, "hello", room="lobby")
        self.chat.say(self.ann, "psst", to="cat")
        self.ask(self.ann, "topic", room="lobby", topic="tea")
        self.ask(self.ann, "name", name="anna")
        self.ask(self.ann, "away", text="at lunch")
        self.chat.say(cat, "psst", to="anna")
        heard = [self.ask(cat, command) for command in ("rooms", "conversations")]
        heard += [self.ask(cat, command, room="lobby") for command in ("who", "history")]
        heard.append(self.ask(cat, "join", room="lobby", after=0))
        self.ask(self.op, "kick", name="dan")
        self.ask(self.op, "ban", address=THERE, reason="enough")
        heard += self.hear(cat)
        for each in (
            presence.left("lobby", "dan", by="OP"),
            presence.left("lobby", "bob", by="OP", reason="enough"),
        ):
            self.assertIn(each, heard)
        self.assertTrue(dan.is_over)
        for address in (HERE, THERE):
            self.assertNotIn(address, repr(heard))
