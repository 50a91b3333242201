"""Tests of operators' commands: the sessions that they end, and the end of bans."""

from chatd.chat import presence
from chatd.chat.moderation import Ban
from chatd.errors import StoreError
from tests.chat.cases import ModerationCase
from tests.chat.recorder import End
from tests.chat.wiring import HERE, NOW, THERE, is_said


class RefusalTests(ModerationCase):
    is_over_redis = True

    def test_only_operators(self):
        """The server refuses all these commands from a member who is no operator, and logs none."""
        for command in ("kick", "ban", "unban"):
            for target in ({"name": "bob"}, {"address": THERE}, {}):
                self.assert_refused("not-allowed", self.ann, command, **target)
        self.assert_refused("not-allowed", self.ann, "bans")
        self.assertEqual((self.chat.notes, self.chat.kept_bans), ([], []))
        self.assertFalse(self.bob.is_over)

    def test_no_target(self):
        """A command needs a valid name or a valid address, and not both."""
        for command in ("kick", "ban", "unban"):
            for target in (
                {},
                {"name": "bob", "address": THERE},
                {"address": ""},
                {"address": "x" * 65},
                {"address": "a\nb"},
            ):
                self.assert_refused("bad-request", self.op, command, **target)
            self.assert_refused("bad-name", self.op, command, name="b b")
        self.assertEqual(self.chat.notes, [])


class KickTests(ModerationCase):
    is_over_redis = True

    def test_by_name(self):
        """All sessions of a name end with the reason, and the other members see them leave."""
        dans = [self.chat.arrive(name, account=True) for name in ("dan", "DAN")]
        self.hear(self.ann)
        kicked = self.ask(self.op, "kick", name="Dan", reason="enough")
        self.assertEqual(kicked, {"kicked": 2})
        for dan in dans:
            (end,) = [each for each in dan.take() if isinstance(each, End)]
            self.assertEqual(end, End("kicked", "enough", retry=False))
        self.assertEqual(
            self.hear(self.ann), [presence.left("lobby", "DAN", by="OP", reason="enough")]
        )
        (note,) = self.chat.notes
        for word in ("OP", "dan", "2", "enough"):
            self.assertIn(word, note)

    def test_by_address(self):
        """All sessions from an address end; the address is not banned."""
        self.assertEqual(self.ask(self.op, "kick", address=THERE), {"kicked": 2})
        self.assert_ended("kicked", self.ann, self.bob)
        self.assertFalse(self.op.is_over)
        self.assertFalse(self.chat.is_banned("ann", THERE))

    def test_nobody(self):
        """A kick of a name without sessions ends none, and says so; the log has it all the same."""
        self.assertEqual(self.ask(self.op, "kick", name="dan"), {"kicked": 0})
        self.assertEqual(self.chat.notes, [])

    def test_oneself(self):
        """An operator cannot kick the own session, neither by name nor by address."""
        for target in ({"name": "oP"}, {"address": self.op.address}):
            self.assert_refused("bad-request", self.op, "kick", **target)
        self.assertFalse(self.op.is_over)
        self.assertEqual(self.chat.notes, [])

    def test_quoted_reason(self):
        """The note has the reason in quotes, so that it cannot look like another note."""
        self.ask(self.op, "kick", name="bob", reason="x OP banned ann for good")
        self.assertEqual(
            self.chat.notes, ["OP kicked bob (sessions: 1): 'x OP banned ann for good'"]
        )

    def test_reason(self):
        """A reason has one line and at most 256 characters; a session without it gets a default."""
        for reason in ("x" * 257, "a\nb", "\x1b[0m", 5):
            self.assert_refused("bad-request", self.op, "kick", name="bob", reason=reason)
        self.ask(self.op, "kick", name="bob")
        self.assertTrue(self.bob.take()[-1].reason)
        self.assertEqual(self.hear(self.ann), [presence.left("lobby", "bob", by="OP")])
        self.ask(self.op, "kick", name="ann", reason="x" * 256)

    def test_what_was_said_before(self):
        """A kicked session gets all earlier messages, also those of the same turn."""
        self.chat.say(self.ann, "hello")
        self.chat.begin()
        self.ask(self.op, "kick", name="bob")
        said, end = self.bob.take()
        self.assertTrue(is_said(said))
        self.assertEqual(end.code, "kicked")


class BanTests(ModerationCase):
    is_over_redis = True

    def test_by_name(self):
        """The sessions of a banned name end, and the server refuses all spellings of the name."""
        self.assertEqual(self.ask(self.op, "ban", name="Bob"), {"kicked": 1})
        self.assert_ended("banned", self.bob)
        self.assertEqual(
            [self.chat.is_banned(name) for name in ("bob", "BOB", "ann")], [True, True, False]
        )
        self.assertIs(self.chat.is_banned(), False)

    def test_by_address(self):
        """The sessions from a banned address end, and the server refuses new sessions from it."""
        self.assertEqual(self.ask(self.op, "ban", address=THERE), {"kicked": 2})
        self.assert_ended("banned", self.ann, self.bob)
        for name in ("ann", "dan", None):
            self.assertEqual(
                (self.chat.is_banned(name, THERE), self.chat.is_banned(name, HERE)), (True, False)
            )

    def test_other_spelling_of_an_address(self):
        """An address gets the form that members have, in any spelling; a user's stays as it is."""
        dan = self.chat.arrive("dan", address="2001:db8::1")
        eve = self.chat.arrive("eve", address="uid:1000")
        for address in ("2001:0DB8:0::0001", "uid:1000"):
            self.assertEqual(self.ask(self.op, "ban", address=address), {"kicked": 1})
        self.assert_ended("banned", dan, eve)

    def test_whole_site(self):
        """A ban of an IPv6 address covers its /64, because a client may have all of it."""
        dan = self.chat.arrive("dan", address="2001:db8::1")
        eve = self.chat.arrive("eve", address="2001:db8:0:1::1")
        self.assertEqual(self.ask(self.op, "ban", address="2001:db8::ffff:2"), {"kicked": 1})
        self.assert_ended("banned", dan)
        self.assertTrue(self.chat.is_banned(None, "2001:db8::3"))
        self.assertFalse(self.chat.is_banned(None, eve.address))
        self.ask(self.op, "ban", address="2001:db8::7")
        self.assertEqual(len(self.chat.kept_bans), 1)
        self.ask(self.op, "unban", address="2001:db8::9")
        self.assertFalse(self.chat.is_banned(None, "2001:db8::3"))

    def test_oneself(self):
        """An operator cannot ban itself by mistake."""
        for target in ({"name": "op"}, {"address": HERE}):
            self.assert_refused("bad-request", self.op, "ban", **target)
        self.assertEqual((self.chat.kept_bans, self.chat.notes), ([], []))

    def test_saved_and_noted(self):
        """The server saves and notes a ban with its author and its time, beside the others."""
        bans = [
            Ban(name="bob", by="OP", made=NOW),
            Ban(address=THERE, until=NOW + 60, by="OP", made=NOW),
        ]
        self.ask(self.op, "ban", name="Bob")
        self.assertEqual(self.chat.kept_bans, bans[:1])
        self.ask(self.op, "ban", address=THERE, until=NOW + 60)
        self.assertCountEqual(self.chat.kept_bans, bans)
        told = self.ask(self.op, "bans")["bans"]
        self.assertEqual(sorted(map(repr, bans)), sorted(repr(Ban(**ban)) for ban in told))
        for note, words in zip(self.chat.notes, ("OP banned bob", THERE), strict=True):
            self.assertIn(words, note)

    def test_reason(self):
        """The banned person and its rooms are told the reason; it is noted, and kept."""
        self.assert_refused("bad-request", self.op, "ban", name="bob", reason="a\nb")
        self.assertFalse(self.chat.is_banned("bob"))
        self.ask(self.op, "ban", name="bob", reason="spam")
        self.assertEqual(
            self.hear(self.bob), [End("banned", "you are banned from this server: spam", False)]
        )
        self.assertEqual(
            self.hear(self.ann), [presence.left("lobby", "bob", by="OP", reason="spam")]
        )
        self.assertEqual(self.chat.notes, ["OP banned bob for good: 'spam'"])
        (ban,) = self.ask(self.op, "bans")["bans"]
        self.assertEqual(ban["reason"], "spam")
        self.ask(self.op, "ban", name="bob")
        (ban,) = self.ask(self.op, "bans")["bans"]
        self.assertNotIn("reason", ban)

    def test_until(self):
        """A banned person is told when the ban ends, unless that is too far away."""
        text = "you are banned from this server"
        self.ask(self.op, "ban", name="bob", until=NOW + 61)
        told = f"{text}; the ban ends in 61 seconds"
        self.assertEqual(self.hear(self.bob), [End("banned", told, False)])
        for left_s, end in (
            (0.5, "; the ban ends in 1 second"),
            (119, "; the ban ends in 119 seconds"),
            (120, "; the ban ends in 2 minutes"),
            (7_199, "; the ban ends in 120 minutes"),
            (7_200, "; the ban ends in 2 hours"),
            (7 * 86_400, "; the ban ends in 7 days"),
            (float("inf"), ""),
        ):
            ban = Ban(name="cat", until=NOW + left_s)
            self.assertEqual(ban.refusal(NOW), f"{text}{end}")
            ban = Ban(name="cat", until=NOW + left_s, reason="be kind")
            self.assertEqual(ban.refusal(NOW), f"{text}{end}: be kind")

    def test_end(self):
        """A ban that has ended refuses no member, is not listed and is not saved."""
        self.ask(self.op, "ban", name="bob", until=NOW + 60)
        self.chat.now = NOW + 59.9
        self.assertIs(self.chat.is_banned("bob"), True)
        self.chat.now = NOW + 60
        self.assertIs(self.chat.is_banned("bob"), False)
        self.assertEqual(self.ask(self.op, "bans"), {"bans": []})
        self.ask(self.op, "ban", name="cat")
        self.assertEqual([ban.name for ban in self.chat.kept_bans], ["cat"])

    def test_end_in_the_past(self):
        """The server refuses a ban that ends in the past."""
        for until in (NOW, NOW - 1, 0, "soon"):
            self.assert_refused("bad-request", self.op, "ban", name="bob", until=until)
        self.assertFalse(self.bob.is_over)

    def test_again(self):
        """A later ban of the same name or address replaces the earlier ban."""
        for until in (NOW + 60, NOW + 10):
            self.ask(self.op, "ban", name="bob", until=until)
        (ban,) = self.ask(self.op, "bans")["bans"]
        self.assertEqual(ban["until"], NOW + 10)

    def test_rename(self):
        """No member can take a banned name, in any spelling."""
        self.ask(self.op, "ban", name="troll")
        self.assert_refused("banned", self.ann, "name", name="TROLL")
        self.assertEqual(self.ann.name, "ann")

    def test_unban(self):
        """A lifted ban is over; the change is saved and noted."""
        self.ask(self.op, "ban", name="bob")
        self.ask(self.op, "ban", address=THERE)
        self.assertEqual(self.ask(self.op, "unban", name="BOB"), {})
        self.assertEqual(
            (self.chat.is_banned("bob"), self.chat.is_banned("x", THERE)), (False, True)
        )
        self.ask(self.op, "unban", address=THERE)
        self.assertIs(self.chat.is_banned("x", THERE), False)
        self.assertEqual(self.chat.kept_bans, [])
        self.assertEqual(len(self.chat.notes), 4)

    def test_unban_of_nobody(self):
        """The server refuses to lift a ban that does not exist."""
        for target in ({"name": "bob"}, {"address": THERE}):
            self.assert_refused("bad-request", self.op, "unban", **target)


class BrokenStoreTests(ModerationCase):
    """Bans that cannot be kept."""

    def test_not_saved(self):
        """A ban that cannot be saved is not in force, and ends no session."""
        self.store.failure = StoreError("the disk is full")
        self.assert_refused("not-stored", self.op, "ban", name="bob")
        self.assertEqual((self.chat.is_banned("bob"), self.bob.is_over), (False, False))
        self.assertEqual(self.chat.notes, [])

    def test_unban_not_saved(self):
        """If lifting a ban cannot be saved, the ban stays in force."""
        self.ask(self.op, "ban", name="bob")
        self.store.failure = StoreError("the disk is full")
        self.assert_refused("not-stored", self.op, "unban", name="bob")
        self.assertIs(self.chat.is_banned("bob"), True)
