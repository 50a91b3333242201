"""Tests of `chatd.server.checkers`."""

import os

from twisted.cred.checkers import (
    AllowAnonymousAccess,
    FilePasswordDB,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.credentials import IUsernamePassword, UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.strcred import makeChecker
from twisted.internet.defer import maybeDeferred

from chatd.config.passwordedit import set_password
from chatd.errors import ConfigurationError
from chatd.server.checkers import CheckersInTurn, ClearFileChecker, PasswordFileChecker, adapt
from tests.config.passwordcases import SECRET, PasswordFileCase
from tests.fakes.passwords import CHEAP, SlowChecker


class CheckersTestCase(PasswordFileCase):
    def ask(self, checker, name, password):
        """Ask a checker; return the Deferred of its answer."""
        credentials = UsernamePassword(name.encode(), password.encode())
        return maybeDeferred(checker.requestAvatarId, credentials)

    def check(self, checker, name, password):
        """Return the name that a checker answers with."""
        return self.successResultOf(self.ask(checker, name, password)).decode()

    def assert_refused(self, checker, name, password):
        self.failureResultOf(self.ask(checker, name, password), UnauthorizedLogin)


class PasswordFileCheckerTests(CheckersTestCase):
    def setUp(self):
        super().setUp()
        set_password(self.path, "Alice", SECRET, hasher=CHEAP)
        self.called = []
        self.checker = PasswordFileChecker(self.path, self.run_in_thread, hasher=CHEAP)

    def run_in_thread(self, function, *arguments):
        self.called.append(function)
        return maybeDeferred(function, *arguments)

    def test_login(self):
        """Names are compared folded; the answer is the file's spelling; threads do the hashing."""
        self.assertEqual(self.check(self.checker, "aLICE", SECRET), "Alice")
        self.assert_refused(self.checker, "alice", "x")
        self.assert_refused(self.checker, "bob", SECRET)
        self.assertEqual(len(self.called), 3)

    def test_no_text(self):
        """Bytes that are not UTF-8 are no name and no password, and appear in no error."""
        for credentials in (UsernamePassword(b"\xff", b"x"), UsernamePassword(b"alice", b"\xff")):
            failure = self.failureResultOf(
                self.checker.requestAvatarId(credentials), UnauthorizedLogin
            )
            self.assertIsNone(failure.value.__cause__)
        self.assertEqual(self.called, [])

    def test_reload(self):
        """The checker reads the file again on request, and not before."""
        set_password(self.path, "bob", "new", hasher=CHEAP)
        self.assert_refused(self.checker, "bob", "new")
        self.checker.reload()
        self.assertEqual(self.check(self.checker, "bob", "new"), "bob")

    def test_reload_broken(self):
        """If the file is broken at a reload, the earlier accounts stay."""
        for break_file in (
            lambda: self.path.write_text("broken\n"),
            lambda: self.path.write_text(""),
            lambda: self.path.write_text("# alice is on holiday\n"),
            lambda: self.path.chmod(0o644),
            lambda: os.unlink(self.path),
        ):
            break_file()
            with self.assertRaisesRegex(ConfigurationError, str(self.path)):
                self.checker.reload()
            self.assertEqual(self.check(self.checker, "alice", SECRET), "Alice")

    def test_broken_at_first(self):
        """If the file is broken at the start, that is an error."""
        self.path.write_text("broken\n")
        with self.assertRaisesRegex(ConfigurationError, "line 1"):
            PasswordFileChecker(self.path, self.run_in_thread)


class ClearFileCheckerTests(CheckersTestCase):
    def test_login(self):
        """Names and passwords come from the file."""
        self.path.write_text("zo\u00eb:p\u00e4ss\n")
        checker = ClearFileChecker(FilePasswordDB(str(self.path)))
        self.assertEqual(self.check(checker, "zo\u00eb", "p\u00e4ss"), "zo\u00eb")
        self.assert_refused(checker, "zo\u00eb", "pass")
        self.assert_refused(checker, "alice", "p\u00e4ss")

    def test_credentials(self):
        """It accepts the same kinds of credentials as Twisted's checker."""
        for twisted in (FilePasswordDB("users"), FilePasswordDB("users", hash=lambda *_: b"")):
            self.assertEqual(
                ClearFileChecker(twisted).credentialInterfaces, twisted.credentialInterfaces
            )

    def test_relative_path(self):
        """A relative path starts at the directory in which the option was given."""
        self.path.write_bytes(b"alice:secret\n")
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.path.parent)
        checkers = [
            ClearFileChecker(FilePasswordDB(path))
            for path in (self.path.name, f"./{self.path.name}", os.fsencode(self.path.name))
        ]
        os.chdir("/")
        for checker in checkers:
            checker.check_file()
            self.assertEqual(self.check(checker, "alice", "secret"), "alice")

    def test_check_file(self):
        """An unreadable file is an error of configuration."""
        checker = ClearFileChecker(FilePasswordDB(str(self.path)))
        with self.assertRaisesRegex(ConfigurationError, f"^cannot read {self.path}: No such file"):
            checker.check_file()
        self.path.touch()
        checker.check_file()

    def test_mark(self):
        """A file with a byte order mark is an error: the mark would be part of the first name."""
        checker = ClearFileChecker(FilePasswordDB(str(self.path)))
        for encoding, complaint in (
            ("utf-8", "begins with a byte order mark"),
            ("utf-16-le", "is UTF-16, not UTF-8 text"),
        ):
            self.path.write_bytes("\ufeffalice:secret\n".encode(encoding))
            with self.assertRaisesRegex(ConfigurationError, f"^{self.path} {complaint}"):
                checker.check_file()

    def test_vanished(self):
        """If the file is unreadable, a login fails with that error, not as a wrong password."""
        for cache in (False, True):
            self.path.write_text("alice:secret\n")
            checker = ClearFileChecker(FilePasswordDB(str(self.path), cache=cache))
            self.assertEqual(self.check(checker, "alice", "secret"), "alice")
            self.path.unlink()
            self.failureResultOf(self.ask(checker, "alice", "secret"), FileNotFoundError)


class AdaptTests(CheckersTestCase):
    def test_memory(self):
        """Names and passwords in memory are found by their bytes, stored as text or bytes."""
        text = adapt(makeChecker("memory:zo\u00eb:p\u00e4ss"))
        self.assertEqual(self.check(text, "zo\u00eb", "p\u00e4ss"), "zo\u00eb")
        self.assert_refused(text, "zo\u00eb", "pass")
        some = adapt(InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret"))
        self.assertEqual(self.check(some, "alice", "secret"), "alice")

    def test_file(self):
        """The wrapper of Twisted's file checker reports an unreadable file."""
        adapted = adapt(makeChecker(f"file:{self.path}"))
        self.assertIsInstance(adapted, ClearFileChecker)

    def test_other(self):
        """The server leaves any other checker unchanged."""

        class Own(InMemoryUsernamePasswordDatabaseDontUse):
            """A user's own checker."""

        for checker in (SlowChecker(), AllowAnonymousAccess(), Own()):
            self.assertIs(adapt(checker), checker)


class CheckersInTurnTests(CheckersTestCase):
    def setUp(self):
        super().setUp()
        self.last = SlowChecker()
        self.memory = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
        self.checkers = CheckersInTurn([self.memory, self.last])

    def test_first(self):
        """The first checker that accepts the login answers; the server asks no later checker."""
        self.assertEqual(self.check(self.checkers, "alice", "secret"), "alice")
        self.assertEqual(self.last.asked, [])

    def test_next(self):
        """If a checker refuses the password, the server asks the next checker."""
        asked = self.ask(self.checkers, "alice", "other")
        self.assertNoResult(asked)
        self.assertEqual(self.last.asked, [b"alice"])
        self.last.answer(b"Alice")
        self.assertEqual(self.successResultOf(asked), b"Alice")

    def test_none(self):
        """The server refuses a name that no checker knows."""
        self.assert_refused(CheckersInTurn([self.memory, self.memory]), "bob", "secret")

    def test_failing(self):
        """A checker that fails ends the search: its error is not a wrong password."""
        self.path.touch()
        failing = ClearFileChecker(FilePasswordDB(str(self.path)))
        self.path.unlink()
        checkers = CheckersInTurn([failing, self.memory, self.last])
        self.failureResultOf(self.ask(checkers, "alice", "secret"), FileNotFoundError)

    def test_passwords(self):
        """It checks only passwords."""
        self.assertEqual(CheckersInTurn.credentialInterfaces, (IUsernamePassword,))
