"""Who can change a database; only root can run most of these tests."""

import os
import pwd
import tempfile
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import ConfigurationError
from chatd.storage.sqlite.ownership import check_owner

USER, OTHER = 61_234, 61_235


class OwnershipTests(SynchronousTestCase):
    """A data directory and the files in it, of several users.

    Attributes:
        place: The directory above the data directory.
    """

    def setUp(self):
        if os.geteuid() != 0:
            raise SkipTest("only root can give files to other users")
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.place = Path(directory.name).resolve()
        self.place.chmod(0o755)
        self.data = self.place / "data"
        self.data.mkdir(0o700)
        self.database = self.file("chatd.db")

    def file(self, name, uid=0, mode=0o600):
        """Make a file in the data directory."""
        path = self.data / name
        path.touch()
        path.chmod(mode)
        os.chown(path, uid, uid)
        return path

    def give(self, uid):
        """Give the data directory and the database to a user."""
        os.chown(self.data, uid, uid)
        os.chown(self.database, uid, uid)

    def refusal(self):
        return str(self.assertRaises(ConfigurationError, check_owner, self.data))

    def test_owner(self):
        """The owner of the database is returned, whether it or root owns the directory."""
        self.assertEqual(check_owner(self.data).st_uid, 0)
        self.give(USER)
        self.file("chatd.db-wal", USER)
        self.assertEqual(check_owner(self.data).st_uid, USER)
        os.chown(self.data, 0, 0)
        self.assertEqual(check_owner(self.data).st_uid, USER)

    def test_directory_of_others(self):
        """A directory is refused if it belongs to another user, or if others can write to it."""
        for owner, name in ((0, "root"), (USER, f"user {USER}")):
            self.give(owner)
            for uid, mode in ((owner, 0o770), (owner, 0o1777), (owner, 0o702), (OTHER, 0o700)):
                os.chown(self.data, uid, uid)
                self.data.chmod(mode)
                self.assertIn(f"others than {name} can change {self.data}: ", self.refusal())

    def test_remedies(self):
        """An error names the owner, and the command can run as any owner but root."""
        self.data.chmod(0o770)
        start = f"can change {self.data}: change its owner or mode"
        self.assertEqual(self.refusal(), f"others than root {start}")
        user = pwd.getpwall()[1]
        self.give(user.pw_uid)
        name = user.pw_name
        self.assertEqual(
            self.refusal(), f"others than {name} {start}, or run this command as {name}"
        )

    def test_files_of_others(self):
        """A file beside the database is refused if another user owns it or can write to it."""
        for owner in (0, USER):
            self.give(owner)
            for uid, mode in ((OTHER, 0o600), (owner, 0o620), (owner, 0o602)):
                path = self.file("chatd.db-journal", uid, mode)
                self.assertIn(f"can change {path}: ", self.refusal())
                path.unlink()
            link = self.data / "chatd.db-wal"
            link.symlink_to(self.database)
            self.assertEqual(self.refusal(), f"{link} is not a regular file")
            link.unlink()
        self.give(USER)
        self.assertIn(f"can change {self.file('chatd.db-shm')}: ", self.refusal())

    def test_way(self):
        """Only root may be able to replace a directory above the database of root."""
        for uid, mode in ((0, 0o777), (OTHER, 0o755)):
            os.chown(self.place, uid, uid)
            self.place.chmod(mode)
            self.give(USER)
            self.assertEqual(check_owner(self.data).st_uid, USER)
            self.give(0)
            self.assertIn(f"can change {self.place}: ", self.refusal())
        os.chown(self.place, 0, 0)
        self.place.chmod(0o1777)
        self.assertEqual(check_owner(self.data).st_uid, 0)
        link = self.place / "link"
        link.symlink_to(self.data)
        self.data = link
        self.assertIn(f"can change {link}: ", self.refusal())

    def test_removed_meanwhile(self):
        """A file that a daemon removes meanwhile is no reason to refuse the directory."""
        gone = self.data / "chatd.db-wal"
        self.patch(Path, "glob", lambda *_: [self.database, gone])
        self.assertEqual(check_owner(self.data).st_uid, 0)

    def test_missing(self):
        """A directory without a database is refused: somebody could still put one there."""
        self.database.unlink()
        self.assertIn(f"there is no {self.database}: ", self.refusal())
