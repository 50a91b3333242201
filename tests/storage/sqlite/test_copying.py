"""Copies of the SQLite store's database."""

import fcntl
import os
import sqlite3
import stat
from contextlib import closing

from chatd.errors import ConfigurationError
from chatd.storage.sqlite.copying import copy_database
from tests.storage.stores import LOBBY, SqliteCase, entries


class CopyingTests(SqliteCase):
    """Copies the database of a store that is open.

    Attributes:
        target: The directory for the copies, which is missing at first.
    """

    def setUp(self):
        super().setUp()
        self.streams, self.database = self.make_streams()
        self.streams.append(entries("kept"))
        self.target = self.make_directory() / "copy"

    def copy(self, **options):
        copy_database(self.directory, self.target, **options)

    def ids_of_copy(self):
        with closing(sqlite3.connect(self.target / "chatd.db")) as connection:
            return [id for (id,) in connection.execute("SELECT id FROM messages ORDER BY seq")]

    def assert_refused(self, words, directory=None):
        """Check the error, and that nothing unfinished is left."""
        error = self.assertRaises(
            ConfigurationError, copy_database, directory or self.directory, self.target
        )
        self.assertIn(words, str(error))
        self.assertFalse((self.target / "chatd.unfinished-copy").exists())

    def test_written_meanwhile(self):
        """Messages that are appended during the copy do not delay it, and are not in it."""
        self.streams.append(entries(*range(2000), content=b"x" * 2000))
        appended: list[str] = []

        def append():
            appended.append(str(len(appended)))
            self.streams.append(entries(f"later {len(appended)}"))

        def connect(path):
            connection = sqlite3.connect(path)
            connection.set_progress_handler(append, 1000)
            return connection

        self.copy(connect=connect)
        self.assertGreater(len(appended), 10)
        self.assertEqual(self.ids_of_copy()[:2], ["kept", "0"])
        self.assertEqual(self.ids_of_copy()[-1], "1999")

    def test_opens(self):
        """A store that opens the copy has its messages, and notices that it is a copy."""
        self.copy()
        self.directory = self.target
        streams, database = self.make_streams()
        self.assertEqual(self.ids_in(streams, LOBBY), ["kept"])
        self.assertTrue(database.was_put_back)
        self.assertTrue(database.was_stopped)

    def test_after_a_kill(self):
        """The copy has messages that are in the write-ahead log alone."""
        self.database.let_go()
        self.copy()
        self.assertEqual(self.ids_of_copy(), ["kept"])

    def test_modes(self):
        """Only the owner can read a copy, whatever the umask."""
        self.addCleanup(os.umask, os.umask(0))
        self.copy()
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (self.target, *self.of_copy())]
        self.assertEqual(modes, [0o700, 0o600])

    def of_copy(self):
        return list(self.target.iterdir())

    def test_again(self):
        """A later copy takes the place of an earlier one, and of one that was killed."""
        self.copy()
        (self.target / "chatd.unfinished-copy").write_bytes(b"half")
        self.streams.append(entries("later"))
        self.copy()
        self.assertEqual(self.ids_of_copy(), ["kept", "later"])
        self.assertEqual([path.name for path in self.of_copy()], ["chatd.db"])

    def test_failed(self):
        """A copy that fails leaves an earlier one as it was."""
        self.copy()
        before = (self.target / "chatd.db").read_bytes()
        self.database.let_go()
        for path in self.directory.glob("chatd.db-*"):
            path.unlink()
        damaged = self.directory / "chatd.db"
        data = damaged.read_bytes() or before
        damaged.write_bytes(data[:100] + b"\xff" * (len(data) - 100))
        self.assert_refused(f"cannot copy {damaged} to {self.target}: ")
        self.assertEqual((self.target / "chatd.db").read_bytes(), before)

    def test_wrong_source(self):
        """A directory without a database of chatd is refused, and nothing is made."""
        empty = self.make_directory()
        self.assert_refused(f"there is no {empty / 'chatd.db'}", empty)
        self.assertFalse(self.target.exists())
        with closing(sqlite3.connect(empty / "chatd.db")) as connection:
            connection.execute("CREATE TABLE other (name)")
        self.assert_refused("is not a database of chatd", empty)
        self.assertFalse(self.target.exists())

    def test_wrong_target(self):
        """The data directory of a daemon and the database of another program are not replaced."""
        self.target = self.directory
        self.assert_refused("is the data directory of a daemon")
        self.target = self.make_directory()
        other = self.target / "chatd.db"
        for data in (b"a text, and no database" * 100, b""):
            other.write_bytes(data)
            self.assert_refused(f"{other} is not a database of chatd; it stays as it is")
            self.assertEqual(other.read_bytes(), data)
        self.target = self.make_directory() / "file"
        self.target.touch()
        self.assert_refused(f"cannot copy {self.directory / 'chatd.db'} to {self.target}: ")

    def test_places(self):
        """A copy is outside of the data directory, in a directory that exists."""
        for path, words in (
            (self.directory / "copy", f"is inside {self.directory}"),
            (self.directory.parent, f"contains {self.directory}"),
            (self.target / "copy", f"there is no directory {self.target}: make it"),
        ):
            before = self.target
            self.target = path
            self.assert_refused(words)
            self.target = before
        self.assertFalse((self.directory / "copy").exists())
        link = self.make_directory() / "link"
        link.symlink_to(self.directory)
        self.target = link
        (self.directory / "chatd.lock").unlink()
        self.assert_refused("is the data directory of a daemon")

    def test_leftovers(self):
        """What SQLite left beside an earlier copy goes with it."""
        self.copy()
        for ending in ("-wal", "-shm", "-journal"):
            (self.target / f"chatd.db{ending}").write_bytes(b"left")
        self.copy()
        self.assertEqual([path.name for path in self.of_copy()], ["chatd.db"])

    def test_two_at_once(self):
        """Two copies into the same directory do not mix."""
        self.target.mkdir(0o700)
        unfinished = self.target / "chatd.unfinished-copy"
        lock = os.open(unfinished, os.O_RDWR | os.O_CREAT, 0o600)
        self.addCleanup(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        error = self.assertRaises(ConfigurationError, self.copy)
        self.assertIn("another backup writes to", str(error))
        self.assertTrue(unfinished.exists())

    def test_finished_meanwhile(self):
        """A copy whose file another copy has renamed is refused; that other copy is whole."""
        self.target.mkdir(0o700)
        lock = fcntl.flock

        def finish_other(descriptor, how):
            lock(descriptor, how)
            (self.target / "chatd.unfinished-copy").rename(self.target / "other")

        self.patch(fcntl, "flock", finish_other)
        self.assert_refused("another backup writes to")
        self.assertEqual((self.target / "other").read_bytes(), b"")

    def test_directory_of_others(self):
        """A directory that others can write to is refused, and so is that of another user."""
        self.target.mkdir()
        for mode in (0o770, 0o707):
            self.target.chmod(mode)
            self.assert_refused("must belong to the user of this command")
        self.target.chmod(0o700)
        self.patch(os, "geteuid", lambda: os.getuid() + 1)
        self.assert_refused("must belong to the user of this command")

    def test_link_in_the_way(self):
        """The copy follows no link."""
        self.target.mkdir(0o700)
        victim = self.target / "victim"
        victim.write_text("kept")
        (self.target / "chatd.unfinished-copy").symlink_to(victim)
        self.assertRaises(ConfigurationError, self.copy)
        self.assertEqual(victim.read_text(), "kept")
