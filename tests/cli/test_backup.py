"""`chatd backup`, from its arguments to its exit status."""

import io
import os
import pwd
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.backup import take_rights
from chatd.cli.main import main
from chatd.cli.status import Status
from chatd.storage.sqlite.database import Database
from chatd.storage.values import Durability

USER = 61_234

BANS = b'[{"target": "mallory"}]'


class BackupTests(SynchronousTestCase):
    """Copies the directory of a daemon that is stopped."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.data, self.target = Path(directory.name) / "data", Path(directory.name) / "copy"
        database = Database(self.data, Durability.FULL)
        with database.opening():
            database.close()

    def backup(self):
        """Run the command; return its status, its output and its errors."""
        output, complaints = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", complaints)
        status = main(["backup", str(self.data), str(self.target)])
        return status, output.getvalue(), complaints.getvalue()

    def test_copied(self):
        """The copy has the messages and the bans, and the command says where it is."""
        (self.data / "bans.json").write_bytes(BANS)
        done = (Status.DONE, f"copied {self.data} to {self.target}\n", "")
        self.assertEqual(self.backup(), done)
        self.assertEqual((self.target / "bans.json").read_bytes(), BANS)
        with closing(sqlite3.connect(self.target / "chatd.db")) as connection:
            self.assertEqual(connection.execute("SELECT count(*) FROM said").fetchone(), (0,))

    def test_no_bans(self):
        """Without bans, the bans of an earlier copy stay, and the command says so."""
        bans, kept = self.data / "bans.json", self.target / "bans.json"
        self.assertEqual(self.backup()[2], "")
        self.assertFalse(kept.exists())
        bans.write_bytes(BANS)
        self.backup()
        bans.unlink()
        status, _, complaints = self.backup()
        self.assertEqual(status, Status.DONE)
        self.assertEqual(complaints, f"chatd: there is no {bans}; {kept} stays as it is\n")
        self.assertEqual(kept.read_bytes(), BANS)

    def test_failed(self):
        """A copy that cannot be made has one line, and a status of its own."""
        (self.data / "bans.json").mkdir()
        status, output, complaints = self.backup()
        self.assertEqual((status, output), (Status.USAGE, ""))
        bans = self.data / "bans.json"
        why = f"{bans}: Is a directory"
        self.assertEqual(complaints, f"chatd: cannot copy {bans} to {self.target}: {why}\n")
        self.assertFalse(self.target.exists())
        (self.data / "chatd.db").unlink()
        status, output, complaints = self.backup()
        self.assertEqual((status, output), (Status.USAGE, ""))
        self.assertIn(f"there is no {self.data / 'chatd.db'}", complaints)

    def test_rights(self):
        """The rights of an owner are its groups first; root keeps its own."""
        acts = []
        for name in ("setgroups", "setgid", "setuid"):
            self.patch(os, name, lambda given, name=name: acts.append((name, given)))
        daemon = pwd.getpwnam("daemon")
        for uid, group in ((0, None), (USER, 60), (daemon.pw_uid, daemon.pw_gid)):
            acts.clear()
            take_rights(os.stat_result((0o100600, 0, 0, 0, uid, 60, 0, 0, 0, 0)))
            wanted: list[object] = [("setgroups", []), ("setgid", group), ("setuid", uid)]
            self.assertEqual(acts, [] if uid == 0 else wanted)

    def test_whole(self):
        """A copy that fails leaves both the database and the bans of an earlier copy."""
        bans, database = self.data / "bans.json", self.target / "chatd.db"
        bans.write_bytes(BANS)
        self.backup()
        before = database.stat()
        bans.unlink()
        os.mkfifo(bans)
        status, _, complaints = self.backup()
        self.assertEqual(status, Status.USAGE)
        self.assertIn(f"cannot copy {bans} to {self.target}: it is not a regular", complaints)
        bans.unlink()
        bans.write_bytes(b"[]")
        (self.target / "bans.json").unlink()
        (self.target / "bans.json").mkdir()
        status, _, complaints = self.backup()
        self.assertEqual(status, Status.USAGE)
        kept = self.target / "bans.json"
        self.assertEqual(
            complaints, f"chatd: {kept} is a directory, and no copy; it stays as it is\n"
        )
        self.assertEqual(database.stat().st_ino, before.st_ino)
        self.assertEqual(sorted(os.listdir(self.target)), ["bans.json", "chatd.db"])


class RightsTests(SynchronousTestCase):
    """Backups by root, of the data directory of another user."""

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
        self.target.mkdir(0o700)

    def backup(self, uid, directory=None):
        """Give all files to a user, run the command, and return its errors."""
        for path in (self.data, *self.data.iterdir(), self.target, *self.target.iterdir()):
            os.chown(path, uid, uid)
        command = [sys.executable, "-m", "chatd", "backup", directory or self.data, self.target]
        return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False).stderr

    def test_owner(self):
        """As root, the command acts as the owner of the database, with its group."""
        for user in (USER, 0, pwd.getpwnam("daemon").pw_uid):
            self.assertEqual(self.backup(user), "")
            copy = (self.target / "chatd.db").stat()
            self.assertEqual((copy.st_uid, copy.st_gid), (user, user))

    def test_link(self):
        """A link to a data directory is checked as the directory, and is no reason to refuse it."""
        link = self.target.parent / "link"
        link.symlink_to(self.data)
        self.assertEqual(self.backup(USER, link), "")
        self.data.chmod(0o770)
        self.assertIn(f"can change {self.data}: ", self.backup(USER, link))

    def test_files_of_others(self):
        """Root does not open a database in a directory that others can write to."""
        self.data.chmod(0o1777)
        (self.data / "chatd.db-journal").touch()
        self.assertEqual(
            self.backup(0),
            f"chatd: others than root can change {self.data}: change its owner or mode\n",
        )
        self.assertEqual(os.listdir(self.target), [])
