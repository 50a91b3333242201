"""`chatd backup`, from its arguments to its exit status."""

import io
import os
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.backup import _take_rights_of
from chatd.cli.main import main
from chatd.cli.status import Status
from chatd.storage.sqlite.database import Database
from chatd.storage.values import Durability

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

    def test_rights(self):
        """As root, the command acts as the owner of the data directory; others as themselves."""
        acts = []
        for name in ("setgroups", "setgid", "setuid"):
            self.patch(os, name, lambda given, name=name: acts.append((name, given)))
        status = os.stat_result((0o40700, 0, 0, 0, 1234, 60, 0, 0, 0, 0))
        self.patch(os, "stat", lambda _: status)
        for euid in (1234, 0):
            self.patch(os, "geteuid", lambda euid=euid: euid)
            _take_rights_of("data")
        self.assertEqual(acts, [("setgroups", []), ("setgid", 60), ("setuid", 1234)])

    def test_failed(self):
        """A copy that cannot be made has one line, and a status of its own."""
        (self.data / "bans.json").mkdir()
        status, output, complaints = self.backup()
        self.assertEqual((status, output), (Status.USAGE, ""))
        bans = self.data / "bans.json"
        why = f"{bans}: Is a directory"
        self.assertEqual(complaints, f"chatd: cannot copy {bans} to {self.target}: {why}\n")
        (self.data / "chatd.db").unlink()
        status, output, complaints = self.backup()
        self.assertEqual((status, output), (Status.USAGE, ""))
        self.assertIn(f"there is no {self.data / 'chatd.db'}", complaints)
