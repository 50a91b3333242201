"""Tests of the object that decides which members may know of a room, without messages."""

from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, DeferredLock
from twisted.trial.unittest import SynchronousTestCase

from chatd.chat import access as access_module
from chatd.chat.access import RoomAccess
from chatd.chat.moderation import Operators
from chatd.errors import RequestError, StoreError
from chatd.storage.privateroom import PrivateRoom
from tests.chat.slowstore import SlowStore


class Somebody(NamedTuple):
    """A person."""

    key: str
    has_account: bool = True


OP, ANN, BOB = Somebody("op"), Somebody("ann"), Somebody("bob")
DEN = PrivateRoom("den", "Den", frozenset({"ann"}))


class AccessCase(SynchronousTestCase):
    needs_account = True

    def setUp(self) -> None:
        self.store = SlowStore()
        self.notes: list[str] = []
        self.operators = Operators(["op"], needs_account=self.needs_account)
        self.access = self.make()

    def make(self) -> RoomAccess:
        return RoomAccess(self.store, self.operators, DeferredLock(), self.notes.append)

    def do(self, change) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(change))

    def refused(self, change) -> str:
        error = self.failureResultOf(Deferred.fromCoroutine(change), RequestError).value
        return error.code

    def keep(self, *rooms: PrivateRoom) -> None:
        for room in rooms:
            self.do(self.store.keep_private(room, instead_of=None))


class WhoTests(AccessCase):
    def test_before_loading(self):
        """Until the private rooms are read, the server closes every room."""
        self.assertFalse(self.access.may_know(OP, "lobby"))
        self.assertTrue(self.access.is_private("lobby"))
        self.do(self.access.load())
        self.assertTrue(self.access.may_know(OP, "lobby"))
        self.assertFalse(self.access.is_private("lobby"))

    def test_loading_fails(self):
        """If the store fails, rooms stay closed, and the next try may succeed."""
        self.store.failure = StoreError("no")
        self.failureResultOf(Deferred.fromCoroutine(self.access.load()), StoreError)
        self.assertFalse(self.access.may_know(ANN, "lobby"))
        self.store.failure = None
        self.do(self.access.load())
        self.assertTrue(self.access.may_know(ANN, "lobby"))

    def test_loads_once(self):
        """A load that ends after another one does not undo changes."""
        self.store.is_slow = True
        loads = [Deferred.fromCoroutine(self.access.load()) for _ in range(2)]
        self.store.answer_next()
        self.store.answer_next()
        self.store.is_slow = False
        self.do(self.access.make_private("den", "Den", [ANN]))
        for load in loads:
            self.successResultOf(load)
        self.assertTrue(self.access.is_private("den"))

    def test_private(self):
        """Operators and invited names know a private room, if they have the account."""
        self.keep(DEN)
        self.do(self.access.load())
        for person, is_known in (
            (OP, True),
            (ANN, True),
            (BOB, False),
            (Somebody("op", False), False),
            (Somebody("ann", False), False),
        ):
            self.assertIs(self.access.may_know(person, "den"), is_known, person)
            self.assertTrue(self.access.may_know(person, "lobby"))
            self.assertEqual(self.access.known_to(person), [DEN] if is_known else [])
        self.access.check(ANN, "den")
        with self.assertRaises(RequestError) as caught:
            self.access.check(BOB, "den")
        self.assertEqual(
            (caught.exception.code, caught.exception.message),
            ("not-invited", "den is private: only invited people may enter it"),
        )
        self.assertEqual(self.notes, [])


class ChangeTests(AccessCase):
    def setUp(self) -> None:
        super().setUp()
        self.do(self.access.load())

    def assert_kept(self, *rooms: PrivateRoom) -> None:
        """Check that the store has these rooms, as another run would read them."""
        self.assertEqual(self.do(self.store.private_rooms()), list(rooms))

    def test_make_private(self):
        """Accounts that are inside are invited; guests are not."""
        guest = Somebody("guest-1", False)
        self.assertEqual(self.do(self.access.make_private("den", "Den", [ANN, ANN, guest])), DEN)
        self.assert_kept(DEN)
        self.assertEqual(self.refused(self.access.make_private("den", "Den", [])), "bad-request")

    def test_make_public(self):
        """A public room forgets its invitations."""
        self.do(self.access.make_private("den", "Den", [ANN]))
        self.assertEqual(self.do(self.access.make_public("den")), DEN)
        self.assertTrue(self.access.may_know(BOB, "den"))
        self.assert_kept()
        self.assertEqual(self.refused(self.access.make_public("den")), "bad-request")

    def test_invite(self):
        """An invited name may enter until it is uninvited; names are compared folded."""
        self.do(self.access.make_private("den", "Den", []))
        self.assertEqual(self.do(self.access.invite("den", "ANN")), DEN)
        self.assert_kept(DEN)
        self.assertEqual(self.refused(self.access.invite("den", "ann")), "bad-request")
        self.do(self.access.uninvite("den", "Ann"))
        self.assertFalse(self.access.may_know(ANN, "den"))
        self.assert_kept(PrivateRoom("den", "Den"))
        self.assertEqual(self.refused(self.access.uninvite("den", "ann")), "bad-request")

    def test_wrong_invitations(self):
        """The server refuses a guest, no name, and a room that is not private."""
        self.assertEqual(self.refused(self.access.invite("den", "ann")), "bad-request")
        self.assertEqual(self.refused(self.access.uninvite("den", "ann")), "bad-request")
        self.do(self.access.make_private("den", "Den", []))
        for name in ("Guest-1", "two words", ""):
            self.assertEqual(self.refused(self.access.invite("den", name)), "bad-name")
        self.assert_kept(PrivateRoom("den", "Den"))

    def test_bounds(self):
        """The numbers of private rooms and of invited names are bounded."""
        self.patch(access_module, "MAX_PRIVATE_ROOMS", 2)
        self.patch(access_module, "MAX_INVITED", 1)
        self.assertEqual(
            self.refused(self.access.make_private("a", "a", [ANN, BOB])), "private-limit"
        )
        for name in ("a", "b"):
            self.do(self.access.make_private(name, name, [ANN]))
        self.assertEqual(self.refused(self.access.make_private("c", "c", [])), "private-limit")
        self.assertEqual(self.refused(self.access.invite("a", "bob")), "private-limit")
        self.assertFalse(self.access.may_know(BOB, "a"))
        self.assertTrue(self.access.may_know(BOB, "c"))

    def test_at_once(self):
        """If two changes are under way together, both take effect."""
        self.do(self.access.make_private("den", "Den", []))
        self.store.is_slow = True
        changes = [
            Deferred.fromCoroutine(self.access.invite("den", name)) for name in ("ann", "bob")
        ]
        while self.store.owes_answers:
            self.store.answer_next()
        for change in changes:
            self.successResultOf(change)
        self.store.is_slow = False
        self.assert_kept(PrivateRoom("den", "Den", frozenset({"ann", "bob"})))

    def test_not_stored(self):
        """A change that the store cannot keep is not in force."""
        self.do(self.access.make_private("den", "Den", [ANN]))
        self.store.failure = StoreError("no")
        for change in (
            self.access.make_private("attic", "attic", []),
            self.access.make_public("den"),
            self.access.invite("den", "bob"),
            self.access.uninvite("den", "ann"),
        ):
            self.failureResultOf(Deferred.fromCoroutine(change), StoreError)
        self.assertEqual(self.access.known_to(ANN), [DEN])
        self.assertFalse(self.access.may_know(BOB, "den"))
        self.assertTrue(self.access.may_know(BOB, "attic"))


class OperatorTests(AccessCase):
    def test_check(self):
        """Only operators may change private rooms."""
        self.access.check_operator(OP)
        for person in (ANN, Somebody("op", False)):
            with self.assertRaises(RequestError) as caught:
                self.access.check_operator(person)
            self.assertEqual(caught.exception.code, "not-allowed")


class NoAccountsTests(AccessCase):
    """On a server without accounts, anyone who takes an operator's name is an operator."""

    needs_account = False

    def test_closed(self):
        """Without accounts, rooms that were private before are closed, and the log says so."""
        self.keep(DEN)
        self.do(self.access.load())
        for person in (Somebody("op", False), Somebody("ann", False)):
            self.assertFalse(self.access.may_know(person, "den"))
            self.assertTrue(self.access.may_know(person, "lobby"))
        (note,) = self.notes
        self.assertIn("closed to everybody", note)

    def test_read_again(self):
        """The log says so once, however often the private rooms are read again."""
        self.keep(DEN)
        for _ in range(2):
            self.do(self.access.reload())
        self.do(self.access.load())
        (note,) = self.notes
        self.assertIn("closed to everybody", note)

    def test_no_note(self):
        """Without private rooms, the server warns of nothing."""
        self.do(self.access.load())
        self.assertEqual(self.notes, [])

    def test_refused(self):
        """Without accounts, operators cannot make rooms private."""
        with self.assertRaises(RequestError) as caught:
            self.access.check_operator(Somebody("op", False))
        self.assertEqual(caught.exception.code, "needs-accounts")
