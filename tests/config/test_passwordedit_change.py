"""Changes of a password with the present password."""

import fcntl
import os
from functools import partial

from chatd.config import passwordedit
from chatd.config.passwordedit import change_password
from chatd.config.passwordfile import load_passwords
from tests.config.passwordcases import NEW, OLD, AccountsCase
from tests.fakes.passwords import CHEAP


class ChangeTests(AccountsCase):
    def setUp(self):
        super().setUp()
        self.before = self.path.read_bytes()

    def change(self, name="alice", old=OLD, new=NEW):
        return change_password(self.path, name, old, new, hasher=CHEAP)

    def assert_unchanged(self):
        self.assertEqual(self.path.read_bytes(), self.before)

    def refusal(self, **options):
        """Return the error of a change that is refused; no secret may be in it."""
        text = self.refusal_of(partial(self.change, **options))
        self.assert_unchanged()
        for secret in (OLD, NEW):
            self.assertNotIn(secret, text)
        return text

    def lock(self, path):
        """Lock a file or directory, as another program does."""
        descriptor = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    def test_change(self):
        """The account has the new password; the other account has its own."""
        self.assertTrue(self.change())
        loaded = load_passwords(self.path)
        self.assertEqual(loaded.verify("alice", NEW), "Alice")
        self.assertIsNone(loaded.verify("alice", OLD))
        self.assertEqual(loaded.verify("bob", OLD), "bob")

    def test_wrong(self):
        """With a wrong password or an unknown account, nothing changes."""
        self.assertFalse(self.change(old=NEW))
        self.assertFalse(self.change(name="carol"))
        self.assert_unchanged()

    def test_bad_password(self):
        """The new password must be valid for `set_password`."""
        self.assertIn("empty", self.refusal(new=""))
        self.assertIn("1024 bytes", self.refusal(new="x" * 1025))
        self.assertIn("control characters", self.refusal(new="x\0"))

    def test_locked(self):
        """While another program has locked the file, the change does not wait."""
        self.lock(self.path)
        self.assertIn(f"another program has locked {self.path} now", self.refusal())

    def test_locked_directory(self):
        """Another user can lock the directory, which does not hinder a change."""
        self.lock(self.path.parent)
        self.assertTrue(self.change())

    def test_no_locks(self):
        """On a file system without locks, the change still succeeds."""

        def flock(*_):
            raise OSError(95, "Operation not supported")

        self.patch(fcntl, "flock", flock)
        self.assertTrue(self.change())

    def test_read_only(self):
        """If the file cannot be written, it stays as it is."""

        def fail(*_):
            raise OSError(30, "Read-only file system")

        self.patch(passwordedit, "replace_private_file", fail)
        self.assertIn("Read-only file system", self.refusal())
