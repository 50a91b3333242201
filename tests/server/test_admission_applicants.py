"""Tests of `Admission` without a protocol or a factory."""

from typing import Any

from twisted.cred.checkers import AllowAnonymousAccess
from twisted.internet.defer import CancelledError, Deferred, DeferredLock
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.chat.access import RoomAccess
from chatd.chat.moderation import Ban, Bans, Operators
from chatd.chat.onedaemon import OneDaemon
from chatd.chat.policy import Policy
from chatd.chat.roster import Roster
from chatd.errors import RequestError, StoreError
from chatd.server.accounts import Accounts
from chatd.server.admission import Admission, Applicant
from chatd.storage.memory import MemoryStore
from chatd.transport.identity import Identity
from tests.chat.recorder import Recorder
from tests.fakes.passwords import SlowChecker

ADDRESS = "192.0.2.1"
OVER_TLS = Identity(ADDRESS, None, is_clear_tcp=False)
IN_THE_CLEAR = Identity(ADDRESS, None, is_clear_tcp=True)


class ApplicantTests(SynchronousTestCase):
    def setUp(self):
        self.full = False
        self.store_failures = []
        self.store = MemoryStore(unix_time=lambda: 0.0)
        self.bans = Bans(save=self._save, lock=DeferredLock(), unix_time=lambda: 0.0)
        self.admission = self.make()

    async def _save(self, bans):
        """Keep no bans."""

    def _check_limits(self, address):
        if self.full:
            raise RequestError("too-many-sessions", "there are too many")

    def make(self, accounts=None, *, is_encrypted=False):
        start: Any = Deferred.fromCoroutine
        self.roster = Roster(
            self.store,
            Recorder(),
            start,
            policy=Policy(max_rooms=2),
            access=RoomAccess(
                self.store,
                Operators(("root",), needs_account=accounts is not None),
                DeferredLock(),
            ),
            share=lambda roster: OneDaemon(roster, self.bans),
            has_accounts=accounts is not None,
        )
        return Admission(
            self.roster,
            self.bans,
            accounts,
            ("lobby",),
            check_limits=self._check_limits,
            store_failed=self.store_failures.append,
            is_encrypted=is_encrypted,
        )

    def ask(self, name="alice", *, password=None, rooms=None, identity=OVER_TLS):
        """Ask for admission; return a Deferred of the answer."""
        applicant = Applicant("0-1", name, password, rooms, identity, lambda: True)
        return Deferred.fromCoroutine(self.admission.admit(applicant))

    def assert_nothing_held(self, name="alice"):
        """Check that no room remains, and that the name is free."""
        self.assertEqual(self.roster.rooms, {})
        claim = self.roster.names.claim(name, "", is_account=True)
        given = self.successResultOf(Deferred.fromCoroutine(claim))
        self.roster.names.release(given, "")

    def refused(self, **asked):
        """Ask, return the code of the refusal, and check that no state of the applicant remains."""
        error = self.failureResultOf(self.ask(**asked), RequestError).value
        self.assert_nothing_held()
        return error.code

    def test_let_in(self):
        """An admitted applicant has its name and its rooms."""
        admitted = self.successResultOf(self.ask())
        self.assertEqual(
            (admitted.name, admitted.has_account, admitted.address), ("alice", False, ADDRESS)
        )
        self.assertEqual([room.name for room in admitted.rooms], ["lobby"])
        self.assertEqual(self.failureResultOf(self.ask("Alice")).value.code, "name-taken")

    def test_release(self):
        """`release` gives back the name and the rooms of an applicant."""
        self.admission.release(self.successResultOf(self.ask(rooms=["tea", "ops"])))
        self.assert_nothing_held()

    def test_guest(self):
        """An applicant without a name gets a name from its session's id."""
        self.assertIn("01", self.successResultOf(self.ask(None)).name)

    def test_refused(self):
        """After a refusal for any reason, no state of the applicant remains."""
        self.assertEqual(self.refused(name="two words"), "bad-name")
        self.assertEqual(self.refused(rooms=["no room"]), "bad-room")
        self.assertEqual(self.refused(rooms=["a", "b", "c"]), "too-many-rooms")
        self.full = True
        self.assertEqual(self.refused(), "too-many-sessions")

    def test_banned(self):
        """The server refuses a banned name or address."""
        self.bans.replace([Ban(name="alice")])
        self.assertEqual(self.refused(), "banned")
        self.bans.replace([Ban(address=ADDRESS)])
        self.assertEqual(self.refused(name="bob"), "banned")

    def test_store(self):
        """The server logs a failure of the store, and the applicant may retry."""

        async def open_stream(*_):
            raise StoreError("no space left on device")

        self.store.open_stream = open_stream
        self.assertEqual(self.refused(), "not-stored")
        self.assertEqual([str(each) for each in self.store_failures], ["no space left on device"])

    def test_account(self):
        """A name with its password gives an account."""
        checker = SlowChecker()
        self.admission = self.make(Accounts(Clock(), [checker]))
        asked = self.ask("ALICE", password="secret")
        self.assertNoResult(asked)
        checker.answer(b"Alice")
        admitted = self.successResultOf(asked)
        self.assertEqual((admitted.name, admitted.has_account), ("Alice", True))

    def test_in_the_clear(self):
        """If others can listen, the server accepts no password, unless there is a key."""
        accounts = Accounts(Clock(), [SlowChecker()])
        for is_encrypted in (False, True):
            self.admission = self.make(accounts, is_encrypted=is_encrypted)
            self.assertIs(self.admission.takes_passwords(IN_THE_CLEAR), is_encrypted)
            self.assertTrue(self.admission.takes_passwords(OVER_TLS))
        self.admission = self.make(accounts)
        code = self.refused(password="secret", identity=IN_THE_CLEAR)
        self.assertEqual(code, "auth-in-clear")

    def test_guests_with_accounts(self):
        """If guests are allowed beside accounts, they need no password."""
        self.admission = self.make(Accounts(Clock(), [AllowAnonymousAccess()]))
        self.assertFalse(self.admission.asks_passwords)
        admitted = self.successResultOf(self.ask("guest-1", identity=IN_THE_CLEAR))
        self.assertEqual((admitted.name, admitted.has_account), ("guest-1", False))

    def test_withdraw(self):
        """The server cancels the login of an applicant that went away."""
        checker = SlowChecker()
        self.admission = self.make(Accounts(Clock(), [checker]))
        asked = self.ask(password="secret")
        self.admission.withdraw("0-1")
        self.failureResultOf(asked, CancelledError)
        self.admission.withdraw("0-1")  # it is gone already, which is no error
        self.assert_nothing_held()

    def test_secret(self):
        """A password is in no repr."""
        applicant = Applicant("0-1", "alice", "open sesame", None, OVER_TLS, lambda: True)
        self.assertNotIn("sesame", repr(applicant))
        self.assertEqual(applicant.password, "open sesame")
