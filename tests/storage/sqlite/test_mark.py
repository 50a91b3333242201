"""The mark beside a database: a database that is no copy keeps its epochs."""

import os
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs

from chatd.errors import ConfigurationError, StoreError
from chatd.storage.sqlite import mark
from chatd.storage.sqlite.mark import PREFIX, Mark
from chatd.storage.streamkeys import room_stream
from tests.storage.sqlite.marks import MarkCase
from tests.storage.stores import NOW, entries

DEN = room_stream("den")


class SameStoreTests(MarkCase):
    """A database that is no copy keeps its epochs."""

    def setUp(self):
        super().setUp()
        self.start()
        self.say("a1", "a2")
        self.before = self.epochs()

    def test_killed_whenever(self):
        """A kill leaves any of the old and new marks; the store recognizes each case."""
        for step in ("renew", "drop_others"):
            self.stop()
            self.break_at(step)
            self.assert_put_back(is_put_back=False)

    def break_at(self, step):
        """Make the next start end right after, or before, a step."""

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
        """The store ignores an unfinished mark, and makes it again."""
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
        """A directory that is moved, and not copied, is the same store."""
        self.stop()
        moved = self.copies / "moved"
        self.directory.rename(moved)
        self.directory.mkdir()  # for the test to remove
        self.directory = moved
        self.assert_put_back(is_put_back=False)

    def test_streams_that_are_gone(self):
        """Messages of deleted streams still count."""
        self.streams.append(entries(1, 2, 3, stream=DEN, time=NOW - 100))
        self.now += self.streams._retention.max_age_s - 50
        self.expire()
        self.assertEqual([head.name for head in self.streams.rooms("", 10)], ["Lobby"])
        self.stop(is_killed=True)
        self.assert_put_back(is_put_back=False)

    def test_gone(self):
        """Beside a mark, the store refuses a missing or empty database, and begins no new one."""
        self.stop()
        kept = self.database.path.read_bytes()
        for spoil in (lambda path: path.write_bytes(b""), Path.unlink):
            spoil(self.database.path)
            with self.assertRaisesRegex(ConfigurationError, "missing or empty.*restore it"):
                self.make_streams()
        self.database.path.write_bytes(kept)
        self.assert_put_back(is_put_back=False)

    def test_begun_anew(self):
        """The store begins a new database without a mark, or if there never was a message."""
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
        """A start does not read a pipe, a directory or another file in the place of a mark."""
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
        """If the running store cannot renew the mark, it goes on as before."""
        patch = self.patch(Mark, "renew", lambda *_: (_ for _ in ()).throw(OSError("full")))
        self.assertRaises(StoreError, self.expire)
        patch.restore()
        self.say("a3")
        self.stop(is_killed=True)
        self.assert_put_back(is_put_back=False)

    def test_only_after_something_was_said(self):
        """A store without new messages does not write by itself."""
        self.expire()
        marks = self.marks()
        self.expire()
        self.assertEqual(self.marks(), marks)

    def test_told_in_the_log(self):
        """If the store is a copy, the log has one warning of it; otherwise it has none."""
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
    """The count in a mark, while messages are appended."""

    def test_not_at_each_message(self):
        """The store writes the mark at most once in its interval, and it never goes back."""
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
        """A mark that cannot be written falls behind, without an error."""
        following = Mark(self.directory, lambda: 0.0)
        following.renew(7)
        self.patch(os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError("full")))
        following.add(1)
        self.assertTrue(following.has_moved)
        following.let_go()
