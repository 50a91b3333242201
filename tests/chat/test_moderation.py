"""Tests of moderation: the operators, the bans in force, and how bans are saved."""

from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.trial.unittest import SynchronousTestCase

from chatd.chat.moderation import Ban, Bans, Operators, Target
from chatd.chat.rooms import Member
from chatd.errors import ConfigurationError, RequestError, StoreError
from tests.chat.cases import ModerationCase
from tests.chat.wiring import HERE, NOW, THERE, codes, is_result


class OperatorTests(ModerationCase):
    is_over_redis = True

    def test_account_needed(self):
        """On a server with accounts, an operator must have logged in."""
        chat = self.make_chat(operators=("op",), needs_account=True)
        guest, bob = chat.arrive("op"), chat.arrive("bob")
        chat.command(guest, "kick", name="bob")
        self.assertEqual((codes(guest.take()), bob.is_over), (["not-allowed"], False))
        chat.delivery.vanish(guest)
        op = chat.arrive("op", account=True)
        chat.command(op, "kick", name="bob")
        self.assertIs(bob.is_over, True)

    def test_a_name_of_another(self):
        """An account alone does not make a member an operator."""
        ann = Member("1", "ann")
        ann.has_account = True
        with self.assertRaises(RequestError):
            Operators(("op",), needs_account=True).check(ann)
        with self.assertRaises(RequestError):
            Operators((), needs_account=False).check(ann)

    def test_taken_name(self):
        """On a server without accounts, anyone who takes an operator's name is an operator."""
        self.chat.delivery.vanish(self.op)
        self.assert_refused("not-allowed", self.ann, "kick", name="bob")
        self.ask(self.ann, "name", name="op")
        self.ask(self.ann, "kick", name="bob")
        self.assertIs(self.bob.is_over, True)


class SavingTests(ModerationCase):
    """Bans that are saved slowly."""

    only_one_daemon = "a backplane keeps the bans of several daemons"

    def setUp(self):
        super().setUp()
        self.gates: list[Deferred[Any]] = [Deferred(), Deferred(), Deferred()]
        self.chat.saving = self.gates[0]

    def ban(self, name):
        return self.chat.command(self.op, "ban", name=name)

    def names(self):
        return [ban.name for ban in self.chat.only.bans.in_force()]

    def go_on(self):
        """Finish the save under way; the next save waits."""
        gate = self.gates.pop(0)
        self.chat.saving = self.gates[0]
        gate.callback(None)

    def test_answer(self):
        """A ban is answered and in force when it is saved, and not before."""
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
        """Each change begins with the result of the one before, so the last save has all bans."""
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
        """The server refuses a ban that cannot be saved, and the next change begins without it."""
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
        """The bans are reloaded after the save under way; later changes begin with them."""
        first = self.ban("bob")
        read = []

        def load():
            read.append(self.chat.saved[-1])
            return [*read[-1], Ban(name="mallory")]

        reloaded = Deferred.fromCoroutine(self.chat.only.bans.reload(load))
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
        """Bans that cannot be read change nothing, and later changes go on."""
        self.chat.saving = None
        self.successResultOf(self.ban("bob"))

        def load():
            raise ConfigurationError("nonsense")

        reloaded = Deferred.fromCoroutine(self.chat.only.bans.reload(load))
        self.failureResultOf(reloaded, ConfigurationError)
        self.successResultOf(self.ban("eve"))
        self.assertEqual(self.names(), ["bob", "eve"])

    def test_settle(self):
        """A caller that waits until the server has saved all bans waits for the earlier changes."""
        self.successResultOf(Deferred.fromCoroutine(self.chat.only.bans.finish_saving()))
        asked = [self.ban("bob"), self.ban("eve")]
        settled = Deferred.fromCoroutine(self.chat.only.bans.finish_saving())
        self.go_on()
        self.assertNoResult(settled)
        self.go_on()
        self.successResultOf(settled)
        self.assertEqual(self.names(), ["bob", "eve"])
        for each in asked:
            self.successResultOf(each)


class BansTests(SynchronousTestCase):
    def make(self, *bans):
        """Make bans without saving them."""
        return Bans(bans, save=self.fail, lock=DeferredLock(), unix_time=lambda: NOW)

    def test_from_before(self):
        """Bans from before are in force from the beginning."""
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

    def test_not_saved(self):
        """Bans that nothing saves are in force, and are lifted, in memory."""
        bans = Bans(lock=DeferredLock(), unix_time=lambda: NOW)
        self.successResultOf(Deferred.fromCoroutine(bans.add(Ban(name="bob"))))
        self.assertRaises(RequestError, bans.check, "bob", HERE)
        lifted = Deferred.fromCoroutine(bans.remove(Target(name="bob")))
        self.assertIs(self.successResultOf(lifted), True)
        bans.check("bob", HERE)

    def test_target(self):
        """A name is folded; an address gets the form that members have."""
        self.assertEqual(Target.of("Zoe\u0308", None), Target(name="zo\u00eb"))
        self.assertEqual(Target.of(None, "::FFFF"), Target(address="::ffff"))
