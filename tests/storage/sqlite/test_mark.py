"""A store notices at its start that it is not the one that ran last, and begins new epochs."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs

from chatd.errors import ConfigurationError, StoreError
from chatd.storage.sqlite import birth, mark
from chatd.storage.sqlite.birth import birth_of
from chatd.storage.sqlite.database import Database
from chatd.storage.sqlite.mark import PREFIX, Mark
from chatd.storage.sqlite.runs import Durability
from chatd.storage.sqlite.schema import MIGRATIONS
from chatd.storage.streamkeys import room_stream
from tests.storage.stores import DIRECT, LOBBY, NOW, StoreCase, entries, entry

DEN = room_stream("den")


def over(source, target):
    """Copy a directory's files over those of another, into the same inodes, as ``cp`` does."""
    for path in source.iterdir():
        with (target / path.name).open("wb") as file:
            file.write(path.read_bytes())


class MarkCase(StoreCase):
    def setUp(self):
        super().setUp()
        self.copies = self.make_directory()
        self.patch(mark, "INTERVAL_S", 0.0)

    def start(self, **options):
        self.streams, self.database = self.make_streams(**options)

    def stop(self, *, is_killed=False):
        if is_killed:
            self.database.let_go()
        else:
            self.streams.close()

    def say(self, *ids):
        self.streams.append([each for id in ids for each in (entry(id), entry(id, stream=DIRECT))])

    def epochs(self):
        named = ((LOBBY, "Lobby"), (DIRECT, ""))
        return tuple(self.streams.open_stream(*each).epoch for each in named)

    def copy(self, name="copy"):
        """Copy the directory as it is, whoever runs in it."""
        shutil.copytree(self.directory, self.copies / name)
        return self.copies / name

    def back_up(self):
        """Copy the database alone, as SQLite's ``.backup`` does."""
        target = self.copies / "chatd.db"
        with (
            closing(sqlite3.connect(self.database.path)) as source,
            closing(sqlite3.connect(target)) as connection,
        ):
            source.backup(connection)
        return target

    def expire(self):
        """Look for what is too old, to the end."""
        place = self.streams.expire_some()
        while place is not None:
            place = self.streams.expire_some(place)

    def marks(self):
        return [path for path in self.directory.iterdir() if path.name.startswith(PREFIX)]

    def assert_put_back(self, *, is_put_back=True):
        """Start; say whether the store knows that it was put back, by its epochs and its word."""
        self.start()
        self.assertIs(self.database.was_put_back, is_put_back)
        now = self.epochs()
        if is_put_back:
            self.assertFalse(set(now) & set(self.before))
        else:
            self.assertEqual(now, self.before)
        self.say("more")
        for is_killed in (False, True):  # and nothing is renewed a second time
            self.stop(is_killed=is_killed)
            self.start()
            self.assertEqual((self.epochs(), self.database.was_put_back), (now, False))
        self.assertEqual(len(self.marks()), 1)


class PutBackTests(MarkCase):
    """Something was said after the copy was made, and the copy is put back."""

    def begin(self):
        self.start()
        self.say("a1", "a2")
        self.before = self.epochs()

    def go_on(self):
        """Say more, in a run of its own where the store is stopped."""
        if self.database._connection is None:
            self.start()
        self.say("b3")

    def test_database_alone(self):
        """The database is put back without what is beside it, over the old one or in its place."""
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

    def test_new_directory(self):
        """The directory is put in the place of the one that was there, or in another."""
        for is_killed in (False, True):
            self.directory = self.make_directory()
            self.begin()
            self.stop()
            copy = self.copy(f"copy {is_killed}")
            self.go_on()
            self.stop(is_killed=is_killed)
            shutil.rmtree(self.directory)
            shutil.copytree(copy, self.directory)
            self.assert_put_back()

    def test_over(self):
        """The directory is put over the files that are there, as they have their inodes."""
        for is_killed in (False, True):
            self.directory = self.make_directory()
            self.begin()
            self.stop()
            copy = self.copy(f"copy {is_killed}")
            self.go_on()
            self.stop(is_killed=is_killed)
            over(copy, self.directory)
            self.assert_put_back()

    def test_over_in_the_same_run(self):
        """The copy was made while the store ran, and is put back after the same run."""
        self.begin()
        copy = self.copy()
        self.say("b3")
        self.stop()
        over(copy, self.directory)
        self.assert_put_back()

    def test_over_after_a_kill(self):
        """A run that looked for what is old after the copy, and was killed, is told apart too."""
        self.begin()
        copy = self.copy()
        self.say("b3")
        self.expire()
        self.stop(is_killed=True)
        over(copy, self.directory)
        self.assert_put_back()

    def test_by_name(self):
        """Files of which only the changed ones are written anew, as rsync does, are told apart."""
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
        """A mark that is gone, or says nothing, proves nothing: the epochs are new."""
        for spoil in (Path.unlink, lambda path: path.write_bytes(b"")):
            self.directory = self.make_directory()
            self.begin()
            self.stop()
            (mark,) = self.marks()
            spoil(mark)
            self.assert_put_back()

    def test_from_before_there_were_marks(self):
        """An older database beside a mark was put back; one without a mark is as it was."""
        for has_mark in (False, True):
            self.directory = self.make_directory()
            self.make_old()
            if has_mark:
                (self.directory / f"{PREFIX}{'0' * 32}").write_text("5\n")
            self.assert_put_back(is_put_back=has_mark)

    def make_old(self):
        """Make a database of before there were marks."""
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


class SameStoreTests(MarkCase):
    """What is no copy keeps its epochs."""

    def setUp(self):
        super().setUp()
        self.start()
        self.say("a1", "a2")
        self.before = self.epochs()

    def test_killed_whenever(self):
        """A kill leaves any of the marks that are made and removed; each is understood."""
        for step in ("renew", "drop_others"):
            self.stop()
            self.break_at(step)
            self.assert_put_back(is_put_back=False)

    def break_at(self, step):
        """Let the next start end right after, or before, a step."""

        def fail(mark, *arguments):
            whole(mark, *arguments)
            raise OSError("killed")

        def fail_first(mark):
            raise OSError("killed")

        whole = getattr(Mark, step)
        patch = self.patch(Mark, step, fail if step == "renew" else fail_first)
        self.assertRaises(ConfigurationError, self.make_streams)
        patch.restore()
        self.assertEqual(len(self.marks()), 2)

    def test_killed_while_it_is_made(self):
        """A mark that is not finished is none, and is made anew."""
        self.stop()

        def fail(*arguments):
            raise OSError("killed")

        patch = self.patch(os, "pwrite", fail)
        self.assertRaises(ConfigurationError, self.make_streams)
        patch.restore()
        self.assertEqual(len(self.marks()), 1)
        self.assert_put_back(is_put_back=False)
        self.assertLessEqual(
            {path.name.partition("-")[0] for path in self.directory.iterdir()},
            {
                "chatd.db",
                "chatd.lock",
                *(path.name for path in self.marks()),
            },
        )

    def test_moved(self):
        """A directory that is moved, and not copied, is the same."""
        self.stop()
        moved = self.copies / "moved"
        self.directory.rename(moved)
        self.directory.mkdir()  # for the test to remove
        self.directory = moved
        self.assert_put_back(is_put_back=False)

    def test_streams_that_are_gone(self):
        """What was said in streams that are gone counts all the same."""
        self.streams.append(entries(1, 2, 3, stream=DEN, time=NOW - 100))
        self.now += self.streams._retention.max_age_s - 50
        self.expire()
        self.assertEqual([head.name for head in self.streams.rooms("", 10)], ["Lobby"])
        self.stop(is_killed=True)
        self.assert_put_back(is_put_back=False)

    def test_gone(self):
        """A database that is gone, or empty, is told beside its mark; nothing is begun anew."""
        self.stop()
        kept = self.database.path.read_bytes()
        for spoil in (lambda path: path.write_bytes(b""), Path.unlink):
            spoil(self.database.path)
            with self.assertRaisesRegex(ConfigurationError, "gone or empty.*restore it"):
                self.make_streams()
        self.database.path.write_bytes(kept)
        self.assert_put_back(is_put_back=False)

    def test_begun_anew(self):
        """It is begun anew where the mark is removed, too, or where nothing was ever said."""
        self.stop()
        for path in (self.database.path, *self.marks()):
            path.unlink()
        self.start()
        self.assertFalse(self.database.was_put_back)
        self.stop()
        self.database.path.unlink()
        self.start()
        self.assertEqual(len(self.marks()), 1)

    def test_what_is_no_mark(self):
        """A pipe, a directory or another file in a mark's place is read by no start."""
        self.stop()
        (mark,) = self.marks()
        count = mark.read_bytes()
        odd = self.directory / f"{PREFIX}odd"
        for make, undo in (
            (os.mkfifo, Path.unlink),
            (Path.mkdir, Path.rmdir),
            (lambda path: path.symlink_to("nowhere"), Path.unlink),
            (lambda path: path.write_bytes(count * 10), Path.unlink),
            (lambda path: path.write_bytes(b"-1_0"), Path.unlink),
        ):
            make(odd)
            following = Mark(self.directory)
            self.assertGreater(following._marks()[odd.name][1], 10**19, odd)
            undo(odd)
        self.assert_put_back(is_put_back=False)

    def test_failed_while_running(self):
        """A mark that cannot be renewed while the store runs leaves all as it is."""
        patch = self.patch(Mark, "renew", lambda *_: (_ for _ in ()).throw(OSError("full")))
        self.assertRaises(StoreError, self.expire)
        patch.restore()
        self.say("a3")
        self.stop(is_killed=True)
        self.assert_put_back(is_put_back=False)

    def test_only_after_something_was_said(self):
        """A store in which nothing is said writes nothing by itself."""
        self.expire()
        marks = self.marks()
        self.expire()
        self.assertEqual(self.marks(), marks)

    def test_told_in_the_log(self):
        """An operator is told that the store is a copy, in one warning; else nothing."""
        self.stop()
        for path in self.marks():
            path.unlink()
        for expected in (1, 0):
            with capturedLogs() as captured:
                store = self.make_sqlite()
            warnings = [each for each in captured if each["log_level"] is LogLevel.warn]
            self.assertEqual(len(warnings), expected)
            self.successResultOf(Deferred.fromCoroutine(store.close()))


class FollowingTests(MarkCase):
    """How a mark follows what is said."""

    def test_not_at_each_message(self):
        """It is written at most once in its interval, and never goes back."""
        self.patch(mark, "INTERVAL_S", 2.0)
        times = iter((1.0, 2.0, 3.0))
        following = Mark(self.directory, lambda: next(times))
        following.renew(7)
        (path,) = self.marks()
        counts = []
        for _ in range(3):
            following.add(2)
            counts.append(int(path.read_text()))
        following.let_go()
        self.assertEqual(counts, [9, 9, 13])

    def test_disk_that_is_full(self):
        """One that cannot be written falls behind; nobody is told."""
        following = Mark(self.directory, lambda: 0.0)
        following.renew(7)
        self.patch(os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError("full")))
        following.add(1)
        self.assertTrue(following.has_moved)
        following.let_go()


class BirthTests(MarkCase):
    """What tells a file from a copy of it."""

    def test_same_file(self):
        """A file stays the same, whatever is written into it and whatever it is called."""
        path = self.directory / "file"
        path.write_bytes(b"1")
        born = birth_of(path)
        path.write_bytes(b"2")
        os.utime(path, (1, 1))
        renamed = path.rename(self.directory / "renamed")
        self.assertEqual(birth_of(renamed), born)

    def test_unknown(self):
        """Where the time of birth cannot be asked for, or is not known, the inode must do."""
        path = self.directory / "file"
        path.write_bytes(b"1")
        inode = str(path.stat().st_ino)

        class Refusing:
            def statx(self, *_):
                return -1

        class Ignorant:
            def statx(self, *_):
                return 0

        for library in (object(), Refusing(), Ignorant()):
            self.patch(birth.ctypes, "CDLL", lambda _, library=library: library)
            self.assertEqual(birth_of(path), inode)

    def test_missing(self):
        """A file that is not there has none."""
        self.assertRaises(OSError, birth_of, self.directory / "missing")
