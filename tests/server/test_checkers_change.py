"""Tests of changing a password with the checker of a password file."""

from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, maybeDeferred
from zope.interface.verify import verifyObject

from chatd.config.passwordedit import delete_account, set_password
from chatd.errors import ConfigurationError, RequestError
from chatd.server.checkers import IPasswordChanger, PasswordFileChecker
from tests.config.passwordcases import NEW, OLD, AccountsCase
from tests.fakes.passwords import CHEAP

OTHER = "third"


class ChangeTests(AccountsCase):
    def setUp(self):
        super().setUp()
        self.waiting = None
        self.checker = PasswordFileChecker(self.path, self.run_in_thread, hasher=CHEAP)

    def run_in_thread(self, function, *arguments):
        """Run a function now, or when the test says so."""
        done = maybeDeferred(function, *arguments)
        if self.waiting is None:
            return done
        answer: Deferred[object] = Deferred()
        self.waiting.append(lambda: done.chainDeferred(answer))
        return answer

    def answer(self):
        """Let the thread's oldest result arrive."""
        self.waiting.pop(0)()

    def change(self, name="alice", old=OLD, new=NEW):
        return Deferred.fromCoroutine(self.checker.change_password(name, old, new))

    def logs_in(self, name, password):
        """Return whether a login succeeds."""
        self.waiting = None
        credentials = UsernamePassword(name.encode(), password.encode())
        asked = self.checker.requestAvatarId(credentials)
        results: list[object] = []
        asked.addCallbacks(lambda _: results.append(True), lambda _: results.append(False))
        return results == [True]

    def test_interface(self):
        """The checker has the methods of the interface."""
        verifyObject(IPasswordChanger, self.checker)
        self.assertTrue(self.checker.has_account("ALICE"))
        self.assertFalse(self.checker.has_account("carol"))

    def test_change(self):
        """The new password is valid at once, here and for the next daemon."""
        self.successResultOf(self.change())
        for checker in (self.checker, PasswordFileChecker(self.path, self.run_in_thread)):
            self.checker = checker
            self.assertTrue(self.logs_in("alice", NEW))
            self.assertFalse(self.logs_in("alice", OLD))
            self.assertTrue(self.logs_in("bob", OLD))

    def test_wrong(self):
        """A wrong password changes nothing."""
        self.failureResultOf(self.change(old=NEW), UnauthorizedLogin)
        self.assertTrue(self.logs_in("alice", OLD))

    def test_bad_password(self):
        """The server refuses a password with a code, as `chatd passwd` does, before any hashing."""
        self.waiting = []
        for new, why in (("", "empty"), ("x" * 1025, "1024"), ("\udc80", "UTF-8")):
            error = self.failureResultOf(self.change(new=new), RequestError).value
            self.assertEqual(error.code, "bad-password")
            self.assertIn(why, error.message)
            self.assertIsNone(error.__cause__)
        self.assertEqual(self.waiting, [])

    def test_file_decides(self):
        """The password in the file counts, and other changes of the file stay."""
        set_password(self.path, "alice", OTHER, hasher=CHEAP)
        set_password(self.path, "carol", OLD, hasher=CHEAP)
        self.failureResultOf(self.change(), UnauthorizedLogin)
        self.successResultOf(self.change(old=OTHER))
        self.assertTrue(self.logs_in("alice", NEW))
        self.assertTrue(self.logs_in("carol", OLD))

    def test_deleted(self):
        """An account that the file does not have any more does not come back."""
        delete_account(self.path, "alice")
        self.failureResultOf(self.change(), UnauthorizedLogin)
        self.checker.reload()
        self.assertFalse(self.logs_in("alice", NEW))

    def test_at_once(self):
        """If two changes give the same old password, the first succeeds and the second fails."""
        self.waiting = []
        first, second = self.change(), self.change(new=OTHER)
        self.assertEqual(len(self.waiting), 1)
        self.answer()
        self.answer()
        self.successResultOf(first)
        self.answer()
        self.failureResultOf(second, UnauthorizedLogin)
        self.assertTrue(self.logs_in("alice", NEW))

    def test_reload_meanwhile(self):
        """A reload does not undo a change that was under way."""
        self.waiting = []
        changing = self.change()
        self.answer()  # the change is made, and the file is read, but that has not arrived
        set_password(self.path, "bob", OTHER, hasher=CHEAP)
        self.checker.reload()
        self.answer()
        self.assertNoResult(changing)
        self.answer()
        self.successResultOf(changing)
        self.assertTrue(self.logs_in("bob", OTHER))
        self.assertTrue(self.logs_in("alice", NEW))

    def test_broken_file(self):
        """If the file cannot be used, the earlier accounts stay, and a later change works."""
        good = self.path.read_bytes()
        self.path.write_text("nonsense\n")
        self.failureResultOf(self.change(), ConfigurationError)
        self.assertTrue(self.logs_in("alice", OLD))
        self.path.write_bytes(good)
        self.successResultOf(self.change())
