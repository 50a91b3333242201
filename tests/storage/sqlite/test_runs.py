"""The notes of a run in the database, and the reasons for new epochs at the next run."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chatd.errors import ConfigurationError, StoreError
from chatd.storage.sqlite import runs
from chatd.storage.sqlite.database import Database
from chatd.storage.sqlite.runs import read_boot_id
from chatd.storage.values import Durability
from tests.storage.stores import LOBBY, SqliteCase, entries


class PowerCutTests(SqliteCase):
    """Under one epoch, no message ever gets the place of another confirmed message."""

    def epoch_after(self, first, then, *, boots=("a", "b"), is_closed=False):
        """Return whether an epoch is the same after a second start."""
        self.directory = self.make_directory()
        streams, _ = self.make_streams(durability=first, boot_id=lambda: boots[0])
        streams.append(entries(1))
        epoch = streams.open_stream(LOBBY, "").epoch
        if is_closed:
            streams.close()
        else:
            streams._database.let_go()
        streams, database = self.make_streams(durability=then, boot_id=lambda: boots[1])
        self.addCleanup(database.let_go)
        self.assertEqual(self.ids_in(streams), ["1"])
        is_same = streams.open_stream(LOBBY, "").epoch == epoch
        streams.append(entries(2))
        epoch = streams.open_stream(LOBBY, "").epoch
        streams.close()
        streams, _ = self.make_streams(durability=then, boot_id=lambda: "c")
        self.assertEqual(
            streams.open_stream(LOBBY, "").epoch, epoch, "closed, and still another epoch"
        )
        return is_same

    def test_normal(self):
        """With durability normal, a boot between two runs gives every stream a new epoch."""
        for then in Durability:
            self.assertFalse(self.epoch_after(Durability.NORMAL, then))

    def test_full(self):
        """With durability full, no message can be lost, so the epochs stay."""
        for then in Durability:
            self.assertTrue(self.epoch_after(Durability.FULL, then))

    def test_closed(self):
        """After a clean close, no message can be lost, so the epochs stay."""
        self.assertTrue(self.epoch_after(Durability.NORMAL, Durability.NORMAL, is_closed=True))

    def test_same_boot(self):
        """The end of the process alone loses no message."""
        same = ("a", "a")
        self.assertTrue(self.epoch_after(Durability.NORMAL, Durability.NORMAL, boots=same))

    def test_unknown_boot(self):
        """If the system has no name for its boots, a boot is assumed."""
        self.assertFalse(self.epoch_after(Durability.NORMAL, Durability.NORMAL, boots=("", "")))

    def test_twice(self):
        """A second run of the same boot does not hide the losses of the first."""
        epochs = []
        for boot, said in (("a", 1), ("a", 2), ("b", 3)):
            streams, database = self.make_streams(boot_id=lambda boot=boot: boot)
            streams.append(entries(said))
            epochs.append(streams.open_stream(LOBBY, "").epoch)
            database.let_go()
        self.assertTrue(epochs[0] == epochs[1] != epochs[2])

    def test_durability_of_the_connection(self):
        """Only durability full waits for the disk at each transaction."""
        for durability, level in ((Durability.FULL, 2), (Durability.NORMAL, 1)):
            self.directory = self.make_directory()
            _, database = self.make_streams(durability=durability)
            self.assertEqual(database.connection.execute("PRAGMA synchronous").fetchone(), (level,))
            self.assertEqual(
                database.connection.execute("PRAGMA journal_mode").fetchone(), ("wal",)
            )

    def test_notes_are_on_the_disk(self):
        """The notes of a run wait for the disk, with each durability."""
        levels = []

        class Watched(Database):
            def _note(self, note):
                levels.extend(self.connection.execute("PRAGMA synchronous").fetchone())
                return super()._note(note)

        for durability in Durability:
            database = Watched(self.directory, durability)
            with database.opening():
                pass
            database.close()
        self.assertEqual(levels, [2, 2, 2, 2])

    def test_boot_id(self):
        """The boot id is the operating system's; without it, the id is empty."""
        self.assertEqual(len(read_boot_id()), 36)
        for path in (self.directory / "missing", Path("/dev/null")):
            self.patch(runs, "_BOOT_ID", str(path))
            self.assertEqual(read_boot_id(), "")


class EditedTests(SqliteCase):
    """A database from which somebody removed a note by hand."""

    def run_before(self):
        """Make a database with a message, in a new directory; it stays open."""
        self.directory = self.make_directory()
        self.streams, self.database = self.make_streams(boot_id=lambda: "a")
        self.streams.append(entries(1))

    def execute(self, statement, *values):
        """Change the database as the ``sqlite3`` command does; return the rows."""
        with closing(sqlite3.connect(self.database.path, isolation_level=None)) as connection:
            return connection.execute(statement, values).fetchall()

    def names(self):
        """Return the names of the notes."""
        return [name for (name,) in self.execute("SELECT name FROM meta")]

    def test_at_the_start(self):
        """After a kill, the start names the missing note in one line, and changes nothing."""
        self.run_before()
        for name in self.names():
            self.run_before()
            self.database.let_go()
            self.execute("DELETE FROM meta WHERE name = ?", name)
            if name in {"clean", "mark"}:  # databases of older versions have no such note
                self.make_streams(boot_id=lambda: "a")
                continue
            with pytest.raises(ConfigurationError) as caught:
                self.make_streams(boot_id=lambda: "a")
            self.assertEqual(
                str(caught.value),
                f"cannot use {self.database.path}: the table meta has no row '{name}'; "
                "restore it from a copy",
            )
            self.assertNotIn(name, self.names())

    def test_while_it_runs(self):
        """While the daemon runs, and at its end, the error names the missing note, too."""
        self.run_before()
        self.execute("DELETE FROM meta WHERE name = 'removed'")
        for call in (lambda: self.expire_all(self.streams), self.streams.close):
            with pytest.raises(StoreError, match="the table meta has no row 'removed'"):
                call()
