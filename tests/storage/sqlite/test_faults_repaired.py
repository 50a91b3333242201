"""Damage that is not noticed yet, and failures after which not everything goes on."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from chatd.errors import StoreError
from tests.storage.sqlite.faults import PAGE, Failing, FilesCase
from tests.storage.stores import LOBBY, StoreCase, entries, entry


class OpenTests(FilesCase):
    """A database file that is gone or empty, beside a write-ahead log that holds the messages."""

    def test_cut_to_nothing(self):
        """The write-ahead log stays: opening fails, or every confirmed message is there."""
        for length in (0, 1):
            path = self.copy(self.killed)
            with path.open("r+b") as file:
                file.truncate(length)
            with self.subTest(length=length):
                self.assertIn(self.told(path), (None, self.said))

    def test_gone(self):
        """The same where it is not there at all."""
        path = self.copy(self.killed)
        path.unlink()
        self.assertIn(self.told(path), (None, self.said))

    def test_one_byte(self):
        """A file of one byte is no database, nor a new one."""
        path = self.copy(self.good)
        path.write_bytes(b"S")
        self.assertIsNone(self.told(path))
        self.assertEqual(path.read_bytes(), b"S")

    def test_cut_within_a_page(self):
        """A file cut anywhere, not only between pages, tells no message but as it was said."""
        size = (self.good / "chatd.db").stat().st_size
        for length in (PAGE - 1, PAGE + 1, size // 2 + 1, size - 100, size - 1):
            path = self.copy(self.good)
            with path.open("r+b") as file:
                file.truncate(length)
            with self.subTest(length=length):
                self.assertIsNone(self.told(path))


class GoingOnTests(StoreCase):
    """After a transaction failed."""

    def setUp(self):
        super().setUp()
        self.streams, self.database = self.make_streams()
        self.streams.open_stream(LOBBY, "Lobby")
        self.streams.append(entries(1))

    def test_lock_is_let_go(self):
        """One that fails at its very beginning does not keep other programs out."""
        failing = Failing(self.database.connection)
        other = sqlite3.connect(self.database.path, timeout=0.0, isolation_level=None)
        self.addCleanup(other.close)
        for number in range(1, 8):
            failing.at(number)
            with pytest.raises(StoreError):
                self.streams.append(entries(2))
            failing.at(0)
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")

    def test_another_wrote(self):
        """Where more is in the database than in mind, it is found out at the latest by failing."""
        other = sqlite3.connect(self.database.path, isolation_level=None)
        other.execute(
            "INSERT INTO messages SELECT stream, 2, author, 'theirs', sender, room, recipient,"
            " time, content_type, content FROM messages"
        )
        other.execute("UPDATE streams SET seq = 2, bytes = 2 * bytes")
        other.close()
        with contextlib.suppress(StoreError):
            self.streams.append([entry("2")])
        (outcome,) = self.streams.append([entry("2")])
        self.assertEqual(outcome.message.seq, 3)
