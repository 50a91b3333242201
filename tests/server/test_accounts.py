"""Tests of `chatd.server.accounts`."""

import os
import tempfile
from pathlib import Path
from typing import Any

from twisted.cred.checkers import (
    ANONYMOUS,
    AllowAnonymousAccess,
    FilePasswordDB,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.credentials import (
    IAnonymous,
    IUsernameHashedPassword,
    IUsernamePassword,
)
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.strcred import makeChecker
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import ConfigurationError, RequestError
from chatd.server.accounts import Accounts
from chatd.server.attempts import Attempts
from chatd.server.realm import Account

ADDRESS = "192.0.2.1"
OTHER_ADDRESS = "192.0.2.2"
SECRET = "correct horse"
WRONG = ("auth-failed", "the name or the password is wrong")


class Checker:
    """A checker with the test's answers.

    Args:
        answer: The answer, a value or an exception; None for no answer yet.
        interfaces: The kinds of credentials that it checks.

    Attributes:
        asked: The credentials of each check, and the Deferred of its answer.
    """

    def __init__(self, answer=None, interfaces=(IUsernamePassword,)):
        self.credentialInterfaces = interfaces
        self.answer = answer
        self.asked = []

    def requestAvatarId(self, credentials):
        answer: Deferred[Any] = Deferred()
        self.asked.append((credentials, answer))
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer
        return answer


class AccountsTestCase(SynchronousTestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name, "users")
        self.clock = Clock()

    def accounts(self, *checkers, **options):
        return Accounts(self.clock, checkers, **options)

    def login(self, accounts, name=None, password=None, address=ADDRESS):
        """Log in, and return the account."""
        return self.successResultOf(accounts.login(name, password, address))

    def refusal(self, accounts, name=None, password=None, address=ADDRESS):
        """Fail to log in, and return the code and the message."""
        error = self.failureResultOf(accounts.login(name, password, address), RequestError).value
        return error.code, error.message


class PasswordTests(AccountsTestCase):
    def test_right(self):
        """The right password gives the account; checkers get only bytes in UTF-8."""
        checker = Checker("Zo\u00eb".encode())
        account = self.login(self.accounts(checker), "zoe\u0308", "p\u00e4ss")
        self.assertEqual((account, account.is_guest), (Account("Zo\u00eb"), False))
        ((credentials, _),) = checker.asked
        self.assertEqual(credentials.username, "zo\u00eb".encode())
        self.assertEqual(credentials.password, "p\u00e4ss".encode())
        self.assertTrue(credentials.checkPassword("p\u00e4ss".encode()))
        self.assertFalse(credentials.checkPassword(b"pass"))
        self.assertNotIn("ss'", repr(credentials))

    def test_text(self):
        """A checker may answer with text, as the checker of UNIX accounts does."""
        self.assertEqual(self.login(self.accounts(Checker("alice")), "a", "b").name, "alice")

    def test_wrong(self):
        """The server refuses an unknown name and a wrong password with the same text."""
        accounts = self.accounts(makeChecker("memory:alice:secret:bob:hunter"))
        self.assertEqual(self.refusal(accounts, "carol", "secret"), WRONG)
        self.assertEqual(self.refusal(accounts, "alice", "hunter"), WRONG)
        self.assertEqual(self.refusal(accounts, "alice", ""), WRONG)
        self.assertEqual(self.refusal(accounts, "alice", "\ud800"), WRONG)

    def test_required(self):
        """The server refuses a login without a password, or without a name."""
        for accounts in (self.accounts(Checker(b"x")), self.accounts()):
            self.assertFalse(accounts.allows_guests)
            for name, password in ((None, None), ("alice", None), ("guest-1", None), (None, "x")):
                code, _ = self.refusal(accounts, name, password)
                self.assertEqual(code, "auth-required")

    def test_bad_name(self):
        """The server refuses an invalid name before it is checked."""
        checker = Checker(b"x")
        self.assertEqual(self.refusal(self.accounts(checker), "two words", "x")[0], "bad-name")
        self.assertEqual(checker.asked, [])

    def test_in_turn(self):
        """The server asks checkers in turn, until a checker accepts the name and the password."""
        accounts = self.accounts(
            makeChecker("memory:alice:one"), AllowAnonymousAccess(), makeChecker("memory:bob:two")
        )
        self.assertEqual(self.login(accounts, "alice", "one").name, "alice")
        self.assertEqual(self.login(accounts, "bob", "two").name, "bob")
        self.assertEqual(self.refusal(accounts, "alice", "two"), WRONG)

    def test_other_checkers(self):
        """A checker that accepts neither passwords nor guests is an error."""
        unknown: Any = object()
        with self.assertRaisesRegex(ConfigurationError, "^object checks neither"):
            Accounts(Clock(), [unknown])
        with self.assertRaisesRegex(ConfigurationError, "^Checker checks neither"):
            self.accounts(Checker(interfaces=(IUsernameHashedPassword,)))

    def test_only_guests(self):
        """If only guests are allowed, no password is right."""
        self.assertEqual(self.refusal(self.accounts(AllowAnonymousAccess()), "a", "b"), WRONG)


class TwistedCheckersTests(AccountsTestCase):
    def test_memory(self):
        """Names and passwords in memory are found, whether stored as bytes or as text."""
        accounts = self.accounts(makeChecker("memory:zo\u00eb:p\u00e4ss"))
        self.assertEqual(self.login(accounts, "zo\u00eb", "p\u00e4ss").name, "zo\u00eb")
        accounts = self.accounts(InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret"))
        self.assertEqual(self.login(accounts, "alice", "secret").name, "alice")

    def test_file(self):
        """Twisted's files of plain-text passwords work."""
        self.path.write_text("zo\u00eb:p\u00e4ss\n")
        accounts = self.accounts(makeChecker(f"file:{self.path}"))
        self.assertEqual(self.login(accounts, "zo\u00eb", "p\u00e4ss").name, "zo\u00eb")
        self.assertEqual(self.refusal(accounts, "zo\u00eb", "pass"), WRONG)
        self.assertEqual(self.refusal(accounts, "alice", "p\u00e4ss"), WRONG)

    def test_open_to_others(self):
        """Nobody checks the mode of such a file."""
        self.path.write_text("alice:secret\n")
        self.path.chmod(0o666)
        accounts = self.accounts(makeChecker(f"file:{self.path}"))
        self.assertEqual(self.login(accounts, "alice", "secret").name, "alice")

    def test_no_file(self):
        """An unreadable file is an error, at the start and at each check of the files."""
        complaint = f"^cannot read {self.path}: No such file"
        with self.assertRaisesRegex(ConfigurationError, complaint):
            self.accounts(FilePasswordDB(os.fsencode(self.path)))
        self.path.touch()
        accounts = self.accounts(FilePasswordDB(str(self.path)))
        accounts.check_files()
        self.path.unlink()
        with self.assertRaisesRegex(ConfigurationError, complaint):
            accounts.check_files()

    def test_file_vanished(self):
        """If a file becomes unreadable, the login fails as an internal error in the log."""
        for cache in (False, True):
            self.path.touch()
            accounts = self.accounts(FilePasswordDB(str(self.path), cache=cache))
            self.path.unlink()
            code, message = self.refusal(accounts, "alice", "secret")
            self.assertEqual((code, message), ("internal-error", "the server failed; see its log"))
            self.assertEqual(len(self.flushLoggedErrors(FileNotFoundError)), 1)


class FailureTests(AccountsTestCase):
    def test_checker_fails(self):
        """The server logs an unexpected exception of a checker, without the password."""
        for answer in (ZeroDivisionError("oops"), b"\xff"):
            with capturedLogs() as events:
                code, message = self.refusal(self.accounts(Checker(answer)), "alice", SECRET)
            self.assertEqual((code, message), ("internal-error", "the server failed; see its log"))
            (event,) = events
            self.assertNotIn(SECRET, formatEvent(event) + event["log_failure"].getTraceback())
            self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_own_words(self):
        """A checker may refuse with its own error text."""
        refusal = RequestError("locked", "this account is locked")
        self.assertEqual(
            self.refusal(self.accounts(Checker(refusal)), "alice", "x"),
            ("locked", "this account is locked"),
        )

    def test_guests_fail(self):
        """The server logs an unexpected exception of a checker of guests, too."""
        checker = Checker(ZeroDivisionError(), interfaces=(IAnonymous,))
        self.assertEqual(self.refusal(self.accounts(checker))[0], "internal-error")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class GuestTests(AccountsTestCase):
    def setUp(self):
        super().setUp()
        self.with_guests = self.accounts(makeChecker("anonymous"), makeChecker("memory:alice:x"))

    def test_account_like_a_guest(self):
        """The server refuses an account whose name begins with the guest prefix."""
        accounts = self.accounts(makeChecker("anonymous"), makeChecker("memory:guest-bob:x"))
        self.assertEqual(self.refusal(accounts, "guest-bob", "x"), WRONG)

    def test_guest(self):
        """A guest may have no name, or a name with the guest prefix."""
        self.assertTrue(self.with_guests.allows_guests)
        for name in (None, "guest-1", "GUEST-Bob", "guest-"):
            account = self.login(self.with_guests, name)
            self.assertEqual((account, account.is_guest), (Account(None), True))

    def test_name(self):
        """A guest may have no other name."""
        for name in ("alice", "bob", "guest", "my-guest-1"):
            code, message = self.refusal(self.with_guests, name)
            self.assertEqual(code, "auth-required")
            self.assertIn("guest-", message)
        self.assertEqual(self.refusal(self.with_guests, "two words")[0], "bad-name")

    def test_password(self):
        """A client with a password is not a guest: it needs a name and the right password."""
        self.assertEqual(self.login(self.with_guests, "alice", "x").name, "alice")
        self.assertEqual(self.refusal(self.with_guests, "alice", "y"), WRONG)
        self.assertEqual(self.refusal(self.with_guests, "guest-1", "y"), WRONG)
        self.assertEqual(self.refusal(self.with_guests, None, "x")[0], "auth-required")

    def test_made_a_guest(self):
        """If a checker of passwords answers with a guest, the client gets no account's name."""
        accounts = self.accounts(Checker(ANONYMOUS))
        self.assertTrue(self.login(accounts, "guest-1", "x").is_guest)
        self.assertEqual(self.refusal(accounts, "alice", "x")[0], "auth-required")

    def test_unlimited(self):
        """The server does not limit logins of guests: they cannot guess a password."""
        for _ in range(100):
            self.login(self.with_guests)


class LimitTests(AccountsTestCase):
    def setUp(self):
        super().setUp()
        self.checker = Checker(UnauthorizedLogin())
        self.limited = self.accounts(self.checker)

    def test_too_many(self):
        """After ten wrong passwords, the server refuses an address without a check."""
        for _ in range(10):
            self.assertEqual(self.refusal(self.limited, "alice", "x"), WRONG)
        self.checker.answer = b"alice"
        self.assertEqual(
            self.refusal(self.limited, "alice", "right"),
            ("too-many-attempts", "too many attempts to log in; try again in 6 s"),
        )
        self.assertEqual(len(self.checker.asked), 10)
        self.assertEqual(self.login(self.limited, "alice", "right", "192.0.2.2").name, "alice")

    def test_refill(self):
        """After six seconds, an address has another attempt; a successful login gives it back."""
        for _ in range(10):
            self.refusal(self.limited, "alice", "x")
        self.clock.advance(5.5)
        self.assertEqual(
            self.refusal(self.limited, "alice", "x")[1],
            "too many attempts to log in; try again in 1 s",
        )
        self.clock.advance(0.5)
        self.checker.answer = b"alice"
        for _ in range(20):
            self.assertEqual(self.login(self.limited, "alice", "right").name, "alice")
        self.checker.answer = UnauthorizedLogin()
        self.assertEqual(self.refusal(self.limited, "alice", "x"), WRONG)
        self.assertEqual(self.refusal(self.limited, "alice", "x")[0], "too-many-attempts")

    def test_own_limit(self):
        """The limit can be set."""
        limited = self.accounts(self.checker, attempts=Attempts(burst=1))
        self.assertEqual(self.refusal(limited, "alice", "x"), WRONG)
        self.assertEqual(self.refusal(limited, "alice", "x")[0], "too-many-attempts")

    def test_failing_checker(self):
        """An attempt that a checker failed to check counts."""
        limited = self.accounts(Checker(ZeroDivisionError()), attempts=Attempts(burst=1))
        self.assertEqual(self.refusal(limited, "alice", "x")[0], "internal-error")
        self.assertEqual(self.refusal(limited, "alice", "x")[0], "too-many-attempts")
        self.flushLoggedErrors(ZeroDivisionError)


class AtOnceTests(AccountsTestCase):
    def setUp(self):
        super().setUp()
        self.checker = Checker()
        self.busy = self.accounts(self.checker)
        self.logins = [self.busy.login(f"user{number}", "x", ADDRESS) for number in range(4)]
        self.errors = []

    def asked(self):
        return [credentials.username.decode() for credentials, _ in self.checker.asked]

    def answer(self, number, avatar):
        self.checker.asked[number][1].callback(avatar)

    def test_two(self):
        """The server checks two passwords at once; the other logins wait for their turn."""
        self.assertEqual(self.asked(), ["user0", "user1"])
        self.answer(1, b"user1")
        self.assertEqual(self.successResultOf(self.logins[1]).name, "user1")
        self.assertEqual(self.asked(), ["user0", "user1", "user2"])
        self.checker.asked[0][1].errback(UnauthorizedLogin())
        self.failureResultOf(self.logins[0], RequestError)
        self.assertEqual(self.asked(), ["user0", "user1", "user2", "user3"])

    def test_addresses(self):
        """The addresses take turns, in whatever order their logins arrive."""
        for number in (4, 5):
            self.busy.login(f"user{number}", "x", OTHER_ADDRESS)
        for number in (0, 1, 2):
            self.answer(number, b"user")
        self.assertEqual(self.asked()[2:], ["user2", "user4", "user3"])

    def test_cancelled_while_waiting(self):
        """The server does not check a login that is cancelled while it waits."""
        self.logins[2].cancel()
        self.failureResultOf(self.logins[2], CancelledError)
        self.answer(0, b"user0")
        self.assertEqual(self.asked(), ["user0", "user1", "user3"])

    def test_gone_while_waiting(self):
        """If a client has left at its turn, the server skips its login and checks the next."""
        there = [True, True, False, True]
        for number, is_there in enumerate(there):
            self.logins.append(
                self.busy.login(
                    f"late{number}", "x", OTHER_ADDRESS, lambda is_there=is_there: is_there
                )
            )
        for number in range(6):
            self.answer(number, b"user")
        self.failureResultOf(self.logins[6], CancelledError)
        self.assertNotIn("late2", self.asked())
        self.assertEqual(len(self.asked()), 7)

    def test_not_there_at_all(self):
        """If a client has left, the server skips its login even if a slot is free."""
        accounts = self.accounts(self.checker)
        login = accounts.login("user", "x", ADDRESS, lambda: False)
        self.failureResultOf(login, CancelledError)
        self.assertNotIn("user", self.asked())

    def test_attempt_of_who_left(self):
        """The attempt of an unchecked login counts: waiting is not free."""
        limited = self.accounts(self.checker, attempts=Attempts(burst=3))
        for _ in range(3):
            login = limited.login("user", "x", ADDRESS)
            login.cancel()
            self.failureResultOf(login, CancelledError)
        self.assertEqual(self.refusal(limited, "user", "x")[0], "too-many-attempts")

    def test_cancelled_while_checked(self):
        """A cancelled check goes on, and no other check begins before it ends."""
        self.logins[0].cancel()
        self.failureResultOf(self.logins[0], CancelledError)
        self.assertEqual(self.asked(), ["user0", "user1"])
        self.answer(0, b"user0")
        self.assertEqual(self.asked(), ["user0", "user1", "user2"])

    def test_cancelled_and_failing(self):
        """The server logs a failure after cancelling, and the next check begins."""
        self.logins[0].cancel()
        self.failureResultOf(self.logins[0], CancelledError)
        self.checker.asked[0][1].errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.asked(), ["user0", "user1", "user2"])
