"""A store that was put back from a copy notices it at its start, and begins new epochs."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from chatd.storage.sqlite.database import Database
from chatd.storage.sqlite.mark import PREFIX
from chatd.storage.sqlite.schema import MIGRATIONS
from chatd.storage.values import Durability
from tests.storage.sqlite.marks import MarkCase, over
from tests.storage.stores import DIRECT, LOBBY, NOW


class PutBackTests(MarkCase):
    """The store appends messages after the copy, and then gets the copy back."""

    def begin(self):
        self.start()
        self.say("a1", "a2")
        self.before = self.epochs()

    def go_on(self):
        """Append more messages, in a separate run if the store is stopped."""
        if self.database._connection is None:
            self.start()
        self.say("b3")

    def copies_of_runs(self):
        """Yield a copy of a stopped store; its next run has ended, with or without a kill."""
        for is_killed in (False, True):
            self.directory = self.make_directory()
            self.begin()
            self.stop()
            copy = self.copy(f"copy {is_killed}")
            self.go_on()
            self.stop(is_killed=is_killed)
            yield copy

    def test_database_alone(self):
        """The database alone comes back, over the old file or in its place."""
        for is_killed in (False, True):
            for is_over in (False, True):
                self.directory = self.make_directory()
                self.begin()
                copy = self.back_up()
                self.say("b3")
                self.stop(is_killed=is_killed)
                for path in self.directory.glob("chatd.db-*"):
                    path.unlink()
                if not is_over:
                    self.database.path.unlink()
                with self.database.path.open("wb") as file:
                    file.write(copy.read_bytes())
                self.assert_put_back()

    def test_without_its_log(self):
        """A killed store's database is put back without its write-ahead log, before any message."""
        for has_messages in (False, True):
            self.directory = self.make_directory()
            self.start()
            if has_messages:
                self.say("in the log")
            data = self.database.path.read_bytes()  # before the log is copied into it
            self.stop(is_killed=True)
            shutil.rmtree(self.directory)
            self.directory.mkdir()
            self.database.path.write_bytes(data)
            self.start()
            self.assertTrue(self.database.was_put_back)
            self.assertFalse(self.database.was_stopped)
            self.assertEqual(self.streams.found, (0, 0, 0))

    def test_new_directory(self):
        """The directory is put in the place of the old directory, or elsewhere."""
        for copy in self.copies_of_runs():
            shutil.rmtree(self.directory)
            shutil.copytree(copy, self.directory)
            self.assert_put_back()

    def test_over(self):
        """The directory is copied over the old files, which keep their inodes."""
        for copy in self.copies_of_runs():
            over(copy, self.directory)
            self.assert_put_back()

    def test_over_in_the_same_run(self):
        """The copy is from the running store, and comes back after the same run."""
        self.begin()
        copy = self.copy()
        self.say("b3")
        self.stop()
        over(copy, self.directory)
        self.assert_put_back()

    def test_over_after_a_kill(self):
        """A run that dropped old messages after the copy, and was killed, is distinguished too."""
        self.begin()
        copy = self.copy()
        self.say("b3")
        self.expire()
        self.stop(is_killed=True)
        over(copy, self.directory)
        self.assert_put_back()

    def test_by_name(self):
        """A copy that replaces only the changed files, as rsync does, is noticed."""
        self.begin()
        self.stop()
        copy = self.copy()
        self.go_on()
        self.stop()
        for path in self.directory.iterdir():
            if not (copy / path.name).exists():
                path.unlink()
        for path in copy.iterdir():
            there = self.directory / path.name
            if not there.exists() or there.read_bytes() != path.read_bytes():
                there.unlink(missing_ok=True)
                shutil.copy2(path, there)
        self.assert_put_back()

    def test_without_a_mark(self):
        """If the mark is missing or has no count, the epochs are new."""
        for spoil in (Path.unlink, lambda path: path.write_bytes(b"")):
            self.directory = self.make_directory()
            self.begin()
            self.stop()
            (mark,) = self.marks()
            spoil(mark)
            self.assert_put_back()

    def test_from_before_there_were_marks(self):
        """A database older than marks was put back if a mark is beside it; otherwise it was not."""
        for has_mark in (False, True):
            self.directory = self.make_directory()
            self.make_old()
            if has_mark:
                (self.directory / f"{PREFIX}{'0' * 32}").write_text("5\n")
            self.assert_put_back(is_put_back=has_mark)

    def make_old(self):
        """Make a database of a version without marks."""
        database = Database(self.directory, Durability.FULL)
        database.path.touch()
        with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
            for number, statements in enumerate(MIGRATIONS[:3], 1):
                for statement in (*statements, f"PRAGMA user_version = {number}"):
                    connection.execute(statement)
            connection.executemany(
                "INSERT INTO logs (key, name, topic, epoch, seq, oldest, bytes, one, other)"
                " VALUES (?, ?, '', ?, 1, 1, 0, ?, ?)",
                [(LOBBY, "Lobby", "e", None, None), (DIRECT, "", "f", "ann", "bob")],
            )
            connection.executemany(
                "INSERT INTO messages VALUES (?, 1, 'ann', 'm', 'Ann', NULL, NULL, ?, 'text', '')",
                [(1, NOW), (2, NOW)],
            )
        self.before = ("e", "f")
