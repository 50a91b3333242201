"""Tests of moderation: who may kick and ban, whom it hits, and how long."""

from typing import ClassVar

from twisted.internet.defer import Deferred, DeferredLock
from twisted.trial.unittest import SynchronousTestCase

from chatd.chat import presence
from chatd.chat.interfaces import Member
from chatd.chat.moderation import Ban, Bans, Operators, check_target
from chatd.errors import ConfigurationError, RequestError, StoreError
from tests.chat.recorder import End
from tests.chat.wiring import NOW, ChatCase, codes, is_result, is_said

HERE, THERE = "192.0.2.1", "192.0.2.2"


class ModerationCase(ChatCase):
    options: ClassVar = {"operators": ("Op",)}

    def setUp(self):
        super().setUp()
        self.op = self.chat.arrive("OP", address=HERE)
        self.ann = self.chat.arrive("ann", address=THERE)
        self.bob = self.chat.arrive("bob", address=THERE)
        self.chat.end_turn()
        for person in (self.op, self.ann, self.bob):
            person.take()

    def assert_ended(self, code, *people):
        for person in people:
            (end,) = [each for each in person.take() if isinstance(each, End)]
            self.assertEqual((end.code, end.retry, person.is_over), (code, False, True))


class OperatorTests(ModerationCase):
    def test_only_operators(self):
        """Who is no operator may do none of it, whatever is asked, and nothing is noted."""
        for command in ("kick", "ban", "unban"):
            for target in ({"name": "bob"}, {"address": THERE}, {}):
                self.assert_refused("not-allowed", self.ann, command, **target)
        self.assert_refused("not-allowed", self.ann, "bans")
        self.assertEqual((self.chat.notes, self.chat.saved), ([], []))
        self.assertFalse(self.bob.is_over)

    def test_account_needed(self):
        """Where there are accounts the operator's name must be proven."""
        chat = self.make_chat(operators=("op",), needs_account=True)
        guest, bob = chat.arrive("op"), chat.arrive("bob")
        chat.command(guest, "kick", name="bob")
        self.assertEqual((codes(guest.take()), bob.is_over), (["not-allowed"], False))
        chat.delivery.vanish(guest)
        op = chat.arrive("op", account=True)
        chat.command(op, "kick", name="bob")
        self.assertIs(bob.is_over, True)

    def test_a_name_of_another(self):
        """To have an account does not make an operator, nor does it in another's name."""
        ann = Member("1", "ann")
        ann.has_account = True
        with self.assertRaises(RequestError):
            Operators(("op",), needs_account=True).check(ann)
        with self.assertRaises(RequestError):
            Operators((), needs_account=False).check(ann)

    def test_no_target(self):
        """Exactly one of name and address is given, and each is one."""
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
    def test_by_name(self):
        """All sessions of a name end, the reason is told to them, and the others see them leave."""
        dans = [self.chat.arrive(name, account=True) for name in ("dan", "DAN")]
        self.hear(self.ann)
        kicked = self.ask(self.op, "kick", name="Dan", reason="enough")
        self.assertEqual(kicked, {"kicked": 2})
        for dan in dans:
            (end,) = [each for each in dan.take() if isinstance(each, End)]
            self.assertEqual(end, End("kicked", "enough", retry=False))
        self.assertEqual(self.hear(self.ann), [presence.left("lobby", "DAN")])
        (note,) = self.chat.notes
        for word in ("OP", "dan", "2", "enough"):
            self.assertIn(word, note)

    def test_by_address(self):
        """All sessions from an address end, and they may come back."""
        self.assertEqual(self.ask(self.op, "kick", address=THERE), {"kicked": 2})
        self.assert_ended("kicked", self.ann, self.bob)
        self.assertFalse(self.op.is_over)
        self.chat.bans.check("ann", THERE)

    def test_nobody(self):
        """To kick who is not here ends nothing, and says so; it is noted all the same."""
        self.assertEqual(self.ask(self.op, "kick", name="dan"), {"kicked": 0})
        self.assertEqual(len(self.chat.notes), 1)

    def test_reason(self):
        """A reason is one line of up to 256 characters; one who is given none is told one."""
        for reason in ("x" * 257, "a\nb", "\x1b[0m", 5):
            self.assert_refused("bad-request", self.op, "kick", name="bob", reason=reason)
        self.ask(self.op, "kick", name="bob")
        self.assertTrue(self.bob.take()[-1].reason)
        self.ask(self.op, "kick", name="ann", reason="x" * 256)

    def test_what_was_said_before(self):
        """Who is kicked has heard what was said before, in the same turn, too."""
        self.chat.say(self.ann, "hello")
        self.hub.commits.begin()
        self.ask(self.op, "kick", name="bob")
        said, end = self.bob.take()
        self.assertTrue(is_said(said))
        self.assertEqual(end.code, "kicked")


class BanTests(ModerationCase):
    def banned(self, name=None, address="198.51.100.1"):
        try:
            self.chat.bans.check(name, address)
        except RequestError as error:
            self.assertEqual(error.code, "banned")
            return True
        return False

    def test_by_name(self):
        """The sessions of a banned name end, and the name is refused in all its spellings."""
        self.assertEqual(self.ask(self.op, "ban", name="Bob"), {"kicked": 1})
        self.assert_ended("banned", self.bob)
        self.assertEqual([self.banned(name) for name in ("bob", "BOB", "ann")], [True, True, False])
        self.assertIs(self.banned(), False)

    def test_by_address(self):
        """The sessions from a banned address end, and whoever comes from it is refused."""
        self.assertEqual(self.ask(self.op, "ban", address=THERE), {"kicked": 2})
        self.assert_ended("banned", self.ann, self.bob)
        for name in ("ann", "dan", None):
            self.assertEqual((self.banned(name, THERE), self.banned(name, HERE)), (True, False))

    def test_other_spelling_of_an_address(self):
        """An address is that of the members, however it is spelled; a user's is as it is."""
        dan = self.chat.arrive("dan", address="2001:db8::1")
        eve = self.chat.arrive("eve", address="uid:1000")
        for address in ("2001:0DB8:0::0001", "uid:1000"):
            self.assertEqual(self.ask(self.op, "ban", address=address), {"kicked": 1})
        self.assert_ended("banned", dan, eve)

    def test_whole_site(self):
        """With an IPv6 address all of its /64 is banned: whoever has one address has them all."""
        dan = self.chat.arrive("dan", address="2001:db8::1")
        eve = self.chat.arrive("eve", address="2001:db8:0:1::1")
        self.assertEqual(self.ask(self.op, "ban", address="2001:db8::ffff:2"), {"kicked": 1})
        self.assert_ended("banned", dan)
        self.assertTrue(self.banned(None, "2001:db8::3"))
        self.assertFalse(self.banned(None, eve.address))
        self.ask(self.op, "ban", address="2001:db8::7")
        self.assertEqual(len(self.chat.bans.in_force()), 1)
        self.ask(self.op, "unban", address="2001:db8::9")
        self.assertFalse(self.banned(None, "2001:db8::3"))

    def test_oneself(self):
        """An operator does not ban itself by a slip."""
        for target in ({"name": "op"}, {"address": HERE}):
            self.assert_refused("bad-request", self.op, "ban", **target)
        self.assertEqual((self.chat.saved, self.chat.notes), ([], []))

    def test_saved_and_noted(self):
        """A ban is kept with who made it and when, together with the others, and noted."""
        self.ask(self.op, "ban", name="Bob")
        self.ask(self.op, "ban", address=THERE, until=NOW + 60)
        bans = [
            Ban(name="bob", by="OP", made=NOW),
            Ban(address=THERE, until=NOW + 60, by="OP", made=NOW),
        ]
        self.assertEqual(self.chat.saved, [bans[:1], bans])
        told = self.ask(self.op, "bans")["bans"]
        self.assertEqual(sorted(map(repr, bans)), sorted(repr(Ban(**ban)) for ban in told))
        for note, words in zip(self.chat.notes, ("OP banned bob", THERE), strict=True):
            self.assertIn(words, note)

    def test_end(self):
        """A ban ends when it was said to: it hits nobody, is not listed and is not kept."""
        self.ask(self.op, "ban", name="bob", until=NOW + 60)
        self.chat.now = NOW + 59.9
        self.assertIs(self.banned("bob"), True)
        self.chat.now = NOW + 60
        self.assertIs(self.banned("bob"), False)
        self.assertEqual(self.ask(self.op, "bans"), {"bans": []})
        self.ask(self.op, "ban", name="cat")
        self.assertEqual([ban.name for ban in self.chat.saved[-1]], ["cat"])

    def test_end_in_the_past(self):
        """A ban that would have ended already is refused."""
        for until in (NOW, NOW - 1, 0, "soon"):
            self.assert_refused("bad-request", self.op, "ban", name="bob", until=until)
        self.assertFalse(self.bob.is_over)

    def test_again(self):
        """A later ban of the same takes the place of the earlier one."""
        for until in (NOW + 60, NOW + 10):
            self.ask(self.op, "ban", name="bob", until=until)
        (ban,) = self.ask(self.op, "bans")["bans"]
        self.assertEqual(ban["until"], NOW + 10)

    def test_not_saved(self):
        """A ban that cannot be kept is not in force, and ends no session."""
        self.store.failure = StoreError("the disk is full")
        self.assert_refused("not-stored", self.op, "ban", name="bob")
        self.assertEqual((self.banned("bob"), self.bob.is_over), (False, False))
        self.assertEqual(self.chat.notes, [])

    def test_rename(self):
        """Nobody takes a banned name, whatever its spelling."""
        self.ask(self.op, "ban", name="troll")
        self.assert_refused("banned", self.ann, "name", name="TROLL")
        self.assertEqual(self.ann.name, "ann")

    def test_unban(self):
        """A ban that is lifted is over, which is kept and noted."""
        self.ask(self.op, "ban", name="bob")
        self.ask(self.op, "ban", address=THERE)
        self.assertEqual(self.ask(self.op, "unban", name="BOB"), {})
        self.assertEqual((self.banned("bob"), self.banned("x", THERE)), (False, True))
        self.ask(self.op, "unban", address=THERE)
        self.assertIs(self.banned("x", THERE), False)
        self.assertEqual(self.chat.saved[-1], [])
        self.assertEqual(len(self.chat.notes), 4)

    def test_unban_of_nobody(self):
        """To lift a ban that there is not is refused."""
        for target in ({"name": "bob"}, {"address": THERE}):
            self.assert_refused("bad-request", self.op, "unban", **target)

    def test_unban_not_saved(self):
        """Where it cannot be kept that a ban is lifted, it is in force."""
        self.ask(self.op, "ban", name="bob")
        self.store.failure = StoreError("the disk is full")
        self.assert_refused("not-stored", self.op, "unban", name="bob")
        self.assertIs(self.banned("bob"), True)


class SavingTests(ModerationCase):
    """Bans that take their time to be saved."""

    def setUp(self):
        super().setUp()
        self.gates = [Deferred(), Deferred(), Deferred()]
        self.chat.saving = self.gates[0]

    def ban(self, name):
        return self.chat.command(self.op, "ban", name=name)

    def names(self):
        return [ban.name for ban in self.chat.bans.in_force()]

    def go_on(self):
        """Let what waits to be saved be saved, and what comes then wait."""
        gate = self.gates.pop(0)
        self.chat.saving = self.gates[0]
        gate.callback(None)

    def test_answer(self):
        """It is answered and in force when it is saved, and not before."""
        done = self.ban("bob")
        self.assertEqual(self.hear(self.op), [])
        self.assertEqual((self.names(), self.bob.is_over, self.chat.notes), ([], False, []))
        self.go_on()
        self.successResultOf(done)
        (result,) = [told for told in self.hear(self.op) if is_result(told)]
        self.assertEqual(result.header["kicked"], 1)
        self.assertEqual(self.names(), ["bob"])
        self.assert_ended("banned", self.bob)

    def test_in_a_row(self):
        """Each begins with what the one before left, so that the last one saved has them all."""
        asked = [self.ban("bob"), self.chat.command(self.op, "unban", name="bob"), self.ban("eve")]
        for expected in (["bob"], []):
            self.go_on()
            self.assertEqual(self.names(), expected)
            self.assertNoResult(asked[-1])
        self.chat.saving = None
        self.gates.pop(0).callback(None)
        self.assertEqual(self.names(), ["eve"])
        self.assertEqual(
            [[ban.name for ban in bans] for bans in self.chat.saved], [["bob"], [], ["eve"]]
        )
        for each in asked:
            self.successResultOf(each)

    def test_failure(self):
        """One that cannot be saved is refused, and the next one begins without it."""
        first, second = self.ban("bob"), self.ban("eve")
        self.store.failure = StoreError("the disk is full")
        gate, self.chat.saving = self.gates[0], self.gates[1]
        gate.callback(None)
        self.successResultOf(first)
        self.assertEqual(codes(self.hear(self.op)), ["not-stored"])
        self.store.failure = None
        self.gates[1].callback(None)
        self.successResultOf(second)
        self.assertEqual(self.names(), ["eve"])
        self.assertEqual([[ban.name for ban in bans] for bans in self.chat.saved], [["eve"]])
        self.assertFalse(self.bob.is_over)

    def test_reload(self):
        """They are read anew when what was under way is saved; what comes then begins with them."""
        first = self.ban("bob")
        read = []

        def load():
            read.append(self.chat.saved[-1])
            return [*read[-1], Ban(name="mallory")]

        reloaded = Deferred.fromCoroutine(self.chat.bans.reload(load))
        last = self.ban("eve")
        self.assertEqual(read, [])
        self.go_on()
        self.successResultOf(reloaded)
        self.assertEqual(self.names(), ["bob", "mallory"])
        self.go_on()
        self.assertEqual(self.names(), ["bob", "mallory", "eve"])
        for each in (first, last):
            self.successResultOf(each)

    def test_bad_reload(self):
        """What cannot be read changes nothing, and holds nothing up."""
        self.chat.saving = None
        self.successResultOf(self.ban("bob"))

        def load():
            raise ConfigurationError("nonsense")

        reloaded = Deferred.fromCoroutine(self.chat.bans.reload(load))
        self.failureResultOf(reloaded, ConfigurationError)
        self.successResultOf(self.ban("eve"))
        self.assertEqual(self.names(), ["bob", "eve"])

    def test_settle(self):
        """Who waits until all is saved waits for what was asked before."""
        self.successResultOf(Deferred.fromCoroutine(self.chat.bans.finish_saving()))
        asked = [self.ban("bob"), self.ban("eve")]
        settled = Deferred.fromCoroutine(self.chat.bans.finish_saving())
        self.go_on()
        self.assertNoResult(settled)
        self.go_on()
        self.successResultOf(settled)
        self.assertEqual(self.names(), ["bob", "eve"])
        for each in asked:
            self.successResultOf(each)


class BansTests(SynchronousTestCase):
    def make(self, *bans):
        """Make bans that are not to be saved."""
        return Bans(bans, save=self.fail, lock=DeferredLock(), unix_time=lambda: NOW)

    def test_from_before(self):
        """Bans that were made before are in force from the beginning."""
        bans = self.make(Ban(name="bob"))
        self.assertRaises(RequestError, bans.check, "Bob", HERE)
        bans.check("ann", HERE)

    def test_written_by_hand(self):
        """A name that an operator wrote into the file by hand counts in all its spellings."""
        bans = self.make(Ban(name="Bob"))
        self.assertRaises(RequestError, bans.check, "bob", HERE)

    def test_both(self):
        """A ban of a name and an address, which a file may hold, refuses either of them."""
        bans = self.make(Ban(name="bob", address=HERE))
        self.assertRaises(RequestError, bans.check, "bob", THERE)
        self.assertRaises(RequestError, bans.check, "ann", HERE)
        bans.check("ann", THERE)

    def test_target(self):
        """A name is folded, an address spelled as the members' are."""
        self.assertEqual(check_target("Zoe\u0308", None), ("zo\u00eb", None))
        self.assertEqual(check_target(None, "::FFFF"), (None, "::ffff"))
