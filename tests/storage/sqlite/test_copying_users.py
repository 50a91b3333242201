"""Copies of a database between users of the machine; only root can run these tests."""

import os
import pwd
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from chatd.storage.sqlite.copying import copy_database, why_not_copied
from chatd.storage.sqlite.database import Database
from chatd.storage.values import Durability

USER = 61_234

COPY = """
import os, sys
from chatd.errors import ConfigurationError
from chatd.storage.sqlite.copying import copy_database

os.setgroups([])
os.setgid(int(sys.argv[1]))
os.setuid(int(sys.argv[1]))
try:
    copy_database(*sys.argv[2:])
except ConfigurationError as error:
    print(error)
"""
"""A program that copies a database as another user."""


class CopyingUserTests(SynchronousTestCase):
    """The data directory of a user, and a copy of it that root made."""

    def setUp(self):
        if os.geteuid() != 0:
            raise SkipTest("only root can act as other users")
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        place = Path(directory.name)
        place.chmod(0o755)
        self.data, self.target = place / "data", place / "copy"
        database = Database(self.data, Durability.FULL)
        with database.opening():
            database.close()
        copy_database(self.data, self.target)
        for path in (self.data, *self.data.iterdir()):
            os.chown(path, USER, USER)

    def copy(self, user=USER):
        """Copy as a user, and return the error."""
        command = [sys.executable, "-c", COPY, str(user), str(self.data), str(self.target)]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    def test_replaced(self):
        """The owner of a directory replaces the copy that root made in it."""
        os.chown(self.target, USER, USER)
        self.assertEqual(self.copy(), "")
        self.assertEqual((self.target / "chatd.db").stat().st_uid, USER)

    def test_in_the_way(self):
        """An error names the file that is in the way, and its owner."""
        start = f"cannot copy {self.data}/chatd.db to {self.target}: "
        self.assertEqual(self.copy(), f"{start}{self.target} belongs to root: Permission denied\n")
        self.target.chmod(0o755)
        self.assertEqual(
            self.copy(), f"{start}{self.target}/chatd.db belongs to root: Permission denied\n"
        )
        self.assertEqual(
            self.copy(USER + 1),
            f"{start}{self.data} belongs to user {USER}: Permission denied\n",
        )


class ReasonTests(SynchronousTestCase):
    """The reasons of errors that have a file."""

    def test_owner(self):
        """A missing file in a directory that is closed has the directory's owner."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        error = PermissionError(13, "Permission denied", f"{directory.name}/missing")
        owner = pwd.getpwuid(os.geteuid()).pw_name
        self.assertEqual(
            why_not_copied(error), f"{directory.name} belongs to {owner}: Permission denied"
        )

    def test_nameless_owner(self):
        """An owner without a name is told by the number."""

        def no_entry(uid):
            raise KeyError(uid)

        self.patch(pwd, "getpwuid", no_entry)
        error = PermissionError(13, "Permission denied", "/")
        self.assertEqual(
            why_not_copied(error), f"/ belongs to user {os.stat('/').st_uid}: Permission denied"
        )
