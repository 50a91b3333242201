"""The directory of the SQLite store, and the files in it."""

import os
import stat
from pathlib import Path

from twisted.internet.defer import Deferred

from chatd.storage.sqlite.mark import PREFIX
from chatd.storage.sqlite.store import SqliteStore
from chatd.storage.values import Durability
from tests.storage.stores import (
    AtOnce,
    SqliteCase,
    entries,
    entry,
)


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


class DirectoryTests(SqliteCase):
    """The directory and its files."""

    def test_modes(self):
        """Only the owner can read the files that the store makes, with any umask."""
        for umask in (0, 0o077):
            self.addCleanup(os.umask, os.umask(umask))
            self.directory = self.make_directory() / "parent" / "data"
            self.make_streams()[0].append(entries(1))
            self.assertEqual(mode_of(self.directory), 0o700)
            names = {path.name: mode_of(path) for path in self.directory.iterdir()}
            (mark,) = (name for name in names if name.startswith(PREFIX))
            self.assertEqual(names.pop(mark), 0o600)
            self.assertEqual(
                names,
                {
                    "chatd.db": 0o600,
                    "chatd.db-wal": 0o600,
                    "chatd.db-shm": 0o600,
                    "chatd.lock": 0o600,
                },
            )

    def test_plain_text(self):
        """The files hold the contents of messages in the clear: they are not encrypted."""
        self.make_streams()[0].append([entry("1", b"a word for the disk")])
        stored = b"".join(path.read_bytes() for path in self.directory.iterdir())
        self.assertIn(b"a word for the disk", stored)

    def test_directory_that_is_there(self):
        """An existing directory keeps its mode."""
        self.directory.chmod(0o750)
        self.make_streams()
        self.assertEqual(mode_of(self.directory), 0o750)

    def test_relative(self):
        """A relative path starts at the daemon's first directory."""
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(self.directory)
        store = SqliteStore("data", durability=Durability.FULL, run=AtOnce())
        os.chdir("/")
        store.open()
        self.successResultOf(Deferred.fromCoroutine(store.close()))
        self.assertTrue((self.directory / "data" / "chatd.db").is_file())
