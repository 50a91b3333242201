"""The store in a database, with a fault of the disk or the file, or another program's lock."""

import os
import resource
import signal
import sqlite3
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from chatd.errors import ConfigurationError, StoreError
from chatd.storage.sqlite.database import Database
from chatd.storage.sqlite.schema import MIGRATIONS
from chatd.storage.streamkeys import room_stream
from chatd.storage.values import Durability
from tests.storage.stores import LOBBY, StoreCase, entries, entry

DEN = room_stream("den")


class FaultTests(StoreCase):
    """While the store runs: a failed call changes nothing, and afterwards the store goes on."""

    def setUp(self):
        super().setUp()
        self.streams, self.database = self.make_streams(busy_timeout_s=0.0)
        self.opened = [
            self.streams.open_stream(LOBBY, "Lobby"),
            self.streams.open_stream(DEN, "Den"),
        ]
        self.streams.append(entries(1, 2))

    def set(self, pragma):
        self.database.connection.execute(f"PRAGMA {pragma}")

    def page(self, stream=LOBBY):
        return self.streams.read(stream, after=0, before=None, limit=100, max_bytes=10**9)

    def assert_fails(self, why, calls=None):
        """Check that calls which change something fail, in one line that names the file."""
        large = b"x" * 100_000
        for call in calls or [
            lambda: self.streams.append([entry("3"), entry("4", large)]),
            lambda: self.streams.append([entry("3"), entry("1"), entry("4", large)]),
            lambda: self.streams.append([entry("1", stream=DEN), entry("2", large, stream=DEN)]),
        ]:
            with pytest.raises(StoreError, match=why) as caught:
                call()
            self.assertTrue(str(caught.value).startswith(f"{self.database.path}: "))
            self.assertNotIn("\n", str(caught.value))
            self.assertIsInstance(caught.value.__cause__, sqlite3.Error)
            self.assertFalse(self.database.connection.in_transaction)

    def test_deleted_or_replaced(self):
        """A deleted or replaced file is noticed; after it is put back, the store goes on."""
        kept = self.make_directory() / "kept"
        for path in (self.database.path, self.database.path.with_name("chatd.db-wal")):
            for is_replaced in (False, True):
                path.rename(kept)
                if is_replaced:
                    path.write_bytes(kept.read_bytes())
                for call in (lambda: self.streams.append(entries(9)), self.streams.expire_some):
                    with self.assertRaisesRegex(StoreError, f"^{path} was deleted or replaced"):
                        call()
                kept.rename(path)
        self.assert_goes_on()

    def test_closed_after_it_was_deleted(self):
        """A store whose database was deleted cannot note its end, and is closed all the same."""
        self.database.path.unlink()
        with self.assertRaisesRegex(StoreError, "was deleted or replaced"):
            self.streams.close()
        self.assertRaises(StoreError, lambda: self.database.connection)

    def assert_goes_on(self):
        """Check that no message was appended, no place is missing, and the epochs are the same."""
        self.assertEqual([message.id for message in self.page().messages], ["1", "2"])
        self.assertEqual(self.page(DEN).messages, [])
        outcomes = self.streams.append([entry("3"), entry("2"), entry("1", stream=DEN), entry("4")])
        self.assertEqual([each.message.seq for each in outcomes], [3, 2, 1, 4])
        self.assertEqual([each.is_new for each in outcomes], [True, False, True, True])
        for _ in range(2):
            pages = [self.page(), self.page(DEN)]
            self.assertEqual(
                [page.head.epoch for page in pages], [head.epoch for head in self.opened]
            )
            self.assertEqual([message.seq for message in pages[0].messages], [1, 2, 3, 4])
            self.assertEqual([message.id for message in pages[0].messages], ["1", "2", "3", "4"])
            self.assertEqual([message.id for message in pages[1].messages], ["1"])
            self.streams.close()
            self.streams, self.database = self.make_streams()

    def test_disk_full(self):
        """A database that cannot grow."""
        (pages,) = self.database.connection.execute("PRAGMA page_count").fetchone()
        self.set(f"max_page_count = {pages}")
        self.assert_fails("database or disk is full")
        self.set("max_page_count = 1000000")
        self.assert_goes_on()

    def test_file_too_large(self):
        """A write-ahead log that cannot grow."""
        self.addCleanup(
            signal.signal, signal.SIGXFSZ, signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        )
        size = os.path.getsize(f"{self.database.path}-wal")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 4096, hard))
        try:
            self.assert_fails("disk I/O error|disk is full")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        self.assert_goes_on()

    def test_read_only(self):
        """A database that cannot be written."""
        self.set("query_only = ON")
        self.assert_fails("attempt to write a readonly database")
        self.set("query_only = OFF")
        self.assert_goes_on()

    def test_locked(self):
        """A database that another program locks for too long."""
        other = sqlite3.connect(self.database.path, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        self.assert_fails("database is locked")
        self.assert_fails(
            "database is locked",
            [lambda: self.streams.set_topic(LOBBY, "topic"), self.streams.expire_some],
        )
        self.assertEqual(self.page().head.topic, "")
        other.execute("ROLLBACK")
        other.close()
        self.assert_goes_on()

    def test_corrupt(self):
        """A database whose file has other bytes."""
        self.set("wal_checkpoint(TRUNCATE)")
        good = self.database.path.read_bytes()
        with open(self.database.path, "r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * (len(good) - 4096))
        self.set("shrink_memory")  # because SQLite's cache is still good
        self.assert_fails("malformed; restore it from a copy")
        self.assert_fails(
            "malformed",
            [
                self.page,
                lambda: self.streams.rooms("", 1),
                lambda: self.streams.conversations("ann", "", 1),
            ],
        )
        self.database.path.write_bytes(good)
        self.set("shrink_memory")
        self.assert_goes_on()

    def test_transaction_left_open(self):
        """A transaction that could not be ended is ended before the next."""
        self.database.connection.execute("BEGIN")
        self.database.connection.execute("DELETE FROM messages")
        self.assert_goes_on()

    def test_content_too_large(self):
        """A content too large for any database."""
        if not hasattr(self.database.connection, "setlimit"):
            self.skipTest("the limit can be set since Python 3.11")
        module: Any = sqlite3  # mypy looks at 3.10
        self.database.connection.setlimit(module.SQLITE_LIMIT_LENGTH, 50_000)
        self.assert_fails("too big")
        self.database.connection.setlimit(module.SQLITE_LIMIT_LENGTH, 10**9)
        self.assert_goes_on()

    def test_text_that_is_none(self):
        """The caller gets the error, and the store keeps no trace of the call."""
        with pytest.raises(UnicodeEncodeError):
            self.streams.append([entry("3"), entry("\ud800")])
        self.assert_goes_on()

    def test_close(self):
        """If the store cannot note the end of the run, closing fails, and closes all files."""
        self.set("query_only = ON")
        with pytest.raises(StoreError, match="attempt to write a readonly database"):
            self.streams.close()
        self.streams, self.database = self.make_streams()
        self.opened[1] = self.streams.open_stream(DEN, "Den")  # a room without messages
        self.assert_goes_on()


class StoreFaultTests(StoreCase):
    def test_store_error(self):
        """The store itself fails with the same errors, and closes with them."""
        store = self.make_sqlite()
        store._streams._database.connection.execute("PRAGMA query_only = ON")
        for call in (store.append(entries(1)), store.close()):
            failure = self.failureResultOf(Deferred.fromCoroutine(call), StoreError)
            self.assertIn("attempt to write a readonly database", failure.getErrorMessage())
        self.successResultOf(Deferred.fromCoroutine(self.make_sqlite().append(entries(1))))


class OpenFaultTests(StoreCase):
    """At the start: one line that names the fault and the file."""

    def refusal(self, directory=None):
        """Return the line that refuses a directory; check that no file is left open."""
        database = Database(directory or self.directory, Durability.FULL, busy_timeout_s=0.0)
        for _ in range(2):  # a lock that is still held would change the second refusal
            with pytest.raises(ConfigurationError) as caught:
                self.open(database)
        text = str(caught.value)
        self.assertNotIn("\n", text)
        return text

    def open(self, database):
        with database.opening():
            pass

    def make_database(self):
        """Make a good database with a message in it, and return its path."""
        streams, database = self.make_streams()
        streams.append([entry(str(id), b"x" * 1_000) for id in range(100)])
        streams.close()
        return database.path

    def test_in_use(self):
        """A directory that another daemon uses, until it ends."""
        _, database = self.make_streams()
        self.assertEqual(self.refusal(), f"{self.directory} is in use by another chatd")
        database.let_go()
        self.make_streams()

    def test_missing_parent(self):
        """The error names the directory that cannot be made, which may be above the given one."""
        self.assertEqual(
            self.refusal("/proc/chatd/data"),
            "cannot use /proc/chatd/data: cannot make /proc/chatd: No such file or directory",
        )

    def test_not_a_database(self):
        """A file that is not a database is not changed."""
        path = self.directory / "chatd.db"
        path.write_bytes(b"something else" * 1_000)
        self.assertEqual(
            self.refusal(), f"cannot use {path}: file is not a database; restore it from a copy"
        )
        self.assertEqual(path.read_bytes(), b"something else" * 1_000)

    def test_corrupt(self):
        """A database that was overwritten in part."""
        path = self.make_database()
        good = path.read_bytes()
        path.write_bytes(good[:4096] + b"\xa5" * (len(good) - 4096))
        text = self.refusal()
        self.assertTrue(text.startswith(f"cannot use {path}: "))
        self.assertIn("malformed; restore it from a copy", text)

    def test_corrupt_stream(self):
        """A database whose rows of streams are overwritten, which is found when it is tidied."""
        path = self.make_database()
        connection = sqlite3.connect(path)
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'streams'"
        ).fetchone()
        connection.close()
        with open(path, "r+b") as file:
            file.seek((page - 1) * 4096)
            file.write(b"\xa5" * 4096)
        for _ in range(2):
            with pytest.raises(ConfigurationError, match=r"^cannot use .*chatd\.db: .*malformed"):
                self.make_streams()

    def test_newer(self):
        """A database that a newer chatd wrote."""
        path = self.make_database()
        connection = sqlite3.connect(path)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
        connection.close()
        self.assertEqual(
            self.refusal(),
            f"cannot use {path}: it was written by a newer chatd"
            f" (schema {len(MIGRATIONS) + 1}, known up to {len(MIGRATIONS)})",
        )

    def test_of_another_program(self):
        """A database that another program made."""
        path = self.directory / "chatd.db"
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE theirs (x)")
        connection.close()
        self.assertEqual(
            self.refusal(), f"cannot use {path}: it is the database of another program"
        )

    def test_locked(self):
        """A database that another program locks."""
        path = self.make_database()
        other = sqlite3.connect(path, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN EXCLUSIVE")
        self.assertEqual(self.refusal(), f"cannot use {path}: database is locked")

    def test_database_is_directory(self):
        """A directory in the place of the database."""
        path = self.directory / "chatd.db"
        path.mkdir()
        self.assertEqual(self.refusal(), f"cannot use {path}: unable to open database file")

    def test_directory_is_file(self):
        """A file in the place of the directory."""
        path = self.directory / "file"
        path.write_bytes(b"")
        self.assertEqual(self.refusal(path), f"cannot use {path}: it is not a directory")
        self.assertEqual(
            self.refusal(path / "under"), f"cannot use {path / 'under'}: Not a directory"
        )

    def test_directory_that_cannot_be_written(self):
        """A directory that even root cannot write."""
        self.assertTrue(
            self.refusal("/proc/self/fdinfo").startswith("cannot use /proc/self/fdinfo: ")
        )
        self.assertTrue(self.refusal("/proc/self/new").startswith("cannot use /proc/self/new: "))

    def test_impossible_path(self):
        """A path that no file can have."""
        self.assertTrue(self.refusal("a\0b").endswith("a\0b: the path has a null byte"))
