"""Commands about people: messages, names, kicks and bans."""

import time

from chatd.chat.moderation import END_OF_TIME
from tests.cli.talking import CommandsCase, Talker


class PeopleTests(CommandsCase):
    def test_msg(self):
        """Sender and receiver see a direct message, each with `you` for themselves."""
        carol = Talker(self.reactor, "carol")
        self.alice.lines.clear()
        self.assertEqual(self.alice.type("/msg bob it is  tea"), ["you → bob: it is  tea"])
        self.assertIn("alice → you: it is  tea", self.bob.lines)
        self.assertEqual(carol.lines, ["* you are carol, in lobby"])

    def test_msg_to_nobody(self):
        """The server keeps a message to a name without a session, and a note says so."""
        self.assertEqual(
            self.alice.type("/msg carol hello"),
            [
                "you → carol: hello",
                "* carol is not connected; the server keeps the message for that name",
            ],
        )

    def test_name(self):
        """A person takes another name; the others see both names."""
        self.assertEqual(self.bob.type("/name robert"), ["* you are robert now"])
        self.assertEqual(self.alice.lines, ["* bob is now called robert"])
        self.assertEqual(self.alice.type("/name ROBERT"), ["* /name: the name ROBERT is in use"])
        self.assertEqual(self.bob.type("/msg alice hi"), ["you → alice: hi"])

    def test_messages_after_a_new_name(self):
        """Direct messages to a new name arrive, even after many to the old name."""
        for number in range(3):
            self.alice.type(f"/msg bob {number}")
        self.bob.type("/name robert")
        self.bob.lines.clear()
        self.alice.type("/msg robert one")
        self.alice.type("/msg robert two")
        self.assertEqual(self.bob.lines, ["alice → you: one", "alice → you: two"])


class OperatorTests(CommandsCase):
    def test_kick(self):
        """A kicked person sees the reason, and the conversation ends."""
        shown = self.alice.type("/kick Bob be nice")
        self.assertIn("* 1 session of Bob ended", shown)
        self.assertIn("* you were kicked: be nice", self.bob.lines)
        self.assertEqual(self.bob.ends, ["kicked"])

    def test_kick_help(self):
        """The help for `/kick` says what it ends, and what it does not prevent."""
        self.assertIn("and may come back; /ban prevents that", self.alice.type("/help kick")[2])

    def test_kick_nobody(self):
        """The client reports a kick of a name without sessions."""
        self.assertEqual(self.alice.type("/kick eve"), ["* no sessions of eve ended"])

    def test_not_an_operator(self):
        """Only operators may kick and ban."""
        for line in ("/kick alice", "/ban alice", "/unban alice"):
            (shown,) = self.bob.type(line)
            self.assertTrue(shown.startswith(f"* {line.split()[0]}: "), shown)
        self.assertEqual(self.alice.ends, [])

    def bans(self):
        """Return the bans in force."""
        return self.successResultOf(self.asked(self.alice.client.bans()))

    def asked(self, answer):
        self.reactor.settle()
        return answer

    def test_reason(self):
        """A reason goes to the banned person and to the room; a dash bans for good."""
        for duration, shown in (("-", "for good"), ("10m", "for 10m")):
            lines = self.alice.type(f"/ban bob {duration} spam and more")
            self.assertCountEqual(
                lines,
                [
                    "* bob was removed by alice: spam and more",
                    f"* bob is banned {shown}; 1 session ended",
                ],
            )
            self.assertIn("spam and more (banned)", self.bob.lines[-1])
            self.alice.type("/unban bob")
            self.bob = Talker(self.reactor, "bob")
            self.alice.lines.clear()

    def test_ban(self):
        """A banned person is disconnected, and cannot return."""
        shown = self.alice.type("/ban bob")
        self.assertIn("* bob is banned for good; 1 session ended", shown)
        self.assertEqual(self.bob.ends, ["banned"])
        self.assertEqual(Talker(self.reactor, "BOB").ends, ["banned"])
        (ban,) = self.bans()
        self.assertEqual((ban.name, ban.address, ban.until), ("bob", None, None))

    def test_durations(self):
        """A ban lasts for its duration."""
        for duration, seconds in (("90s", 90), ("10m", 600), ("2h", 7_200), ("7d", 604_800)):
            self.patch(time, "time", lambda: 1_000.0)
            self.assertIn(f"for {duration};", self.alice.type(f"/ban eve {duration}")[-1])
            (ban,) = self.bans()
            self.assertEqual(ban.until, 1_000.0 + seconds)

    def test_no_durations(self):
        """The client reports an invalid duration with the right form, and bans nobody."""
        self.assertEqual(
            self.alice.mistype("/ban bob spam"),
            "spam is not a duration; write it like 10m, 2h or 7d, or - for good; "
            "a reason comes after it",
        )
        for duration in ("10", "m", "10x", "1h30m", "-1d", "1.5h", "10 m", "\u0661d"):
            line = f"/ban bob {duration}"
            self.assertRegex(self.alice.mistype(line), "not a duration|too many")
        self.assertEqual(self.bans(), [])

    def test_too_long(self):
        """The client says so of a duration that is too long for a ban, and bans nobody."""
        for duration in ("99999999d", f"{10**13}s", f"{'9' * 5000}w"):
            reason = self.alice.mistype(f"/ban bob {duration}")
            self.assertEqual(
                reason,
                f"{duration} is too long: a ban ends before the year 10000, or with - never",
            )
        self.assertEqual(self.bans(), [])
        self.alice.type("/ban bob 0001000000d")
        (ban,) = self.bans()
        self.assertLess(ban.until, END_OF_TIME)

    def test_addresses(self):
        """An IP address, or a user of the server's machine, is banned as an address."""
        for target, address in (
            ("192.0.2.1", "192.0.2.1"),
            ("2001:DB8:0::1", "2001:db8::1"),
            ("uid:1000", "uid:1000"),
        ):
            self.alice.type(f"/ban {target}")
            (ban,) = self.bans()
            self.assertEqual((ban.name, ban.address), (None, address))
            self.assertEqual(
                self.alice.type(f"/unban {target}"), [f"* {target} is no longer banned"]
            )
            self.assertEqual(self.bans(), [])

    def test_networks(self):
        """The client does not take an invalid address for a name."""
        for target in ("10.0.0.0/8", "300.1.1.1", "2001:db8::/32", "12:"):
            self.assertIn("is not an address", self.alice.mistype(f"/ban {target}"))
        self.assertEqual(self.bans(), [])

    def test_bans(self):
        """The bans in force are listed, with their ends and their operators."""
        self.assertEqual(self.alice.type("/bans"), ["* nobody is banned"])
        self.alice.type("/ban bob")
        self.alice.type("/ban 192.0.2.1 1h")
        address, name = self.alice.type("/bans")
        self.assertEqual(name, "* bob is banned for good, by alice")
        self.assertRegex(address, r"^\* 192\.0\.2\.1 is banned until \d{4}-\d\d-\d\d .*, by alice$")

    def test_bans_reason(self):
        """The list has the reason of a ban."""
        self.alice.type("/ban bob 30m be kind")
        (shown,) = self.alice.type("/bans")
        self.assertRegex(shown, r"^\* bob is banned until .*, by alice: be kind$")

    def test_short_bans(self):
        """A ban that ends soon is listed with the seconds."""
        self.patch(time, "time", lambda: 1_000.0)
        for duration, left in (("10s", "10 more seconds"), ("1s", "1 more second")):
            self.alice.type(f"/ban eve {duration}")
            self.assertEqual(self.alice.type("/bans"), [f"* eve is banned for {left}, by alice"])
        self.alice.type("/ban eve 2m")
        self.assertIn("* eve is banned until 1970-01-01 ", self.alice.type("/bans")[0])

    def test_unban(self):
        """After an unban a person may return; a name without a ban cannot be unbanned."""
        self.alice.type("/ban bob 1h")
        self.assertEqual(self.alice.type("/unban Bob"), ["* Bob is no longer banned"])
        self.assertEqual(Talker(self.reactor, "bob").ends, [])
        (shown,) = self.alice.type("/unban eve")
        self.assertTrue(shown.startswith("* /unban: "))
