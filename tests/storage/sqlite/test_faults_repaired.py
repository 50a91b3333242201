"""Damage that SQLite does not notice by itself, and failures from which the store recovers."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from chatd.errors import StoreError
from tests.storage.sqlite.faults import PAGE, Failing, FilesCase
from tests.storage.stores import LOBBY, StoreCase, entries, entry


class OpenTests(FilesCase):
    """A missing or empty database file, beside a write-ahead log with the messages."""

    def test_cut_to_nothing(self):
        """The write-ahead log stays: opening fails, or the store has every confirmed message."""
        for length in (0, 1):
            path = self.copy(self.killed)
            with path.open("r+b") as file:
                file.truncate(length)
            with self.subTest(length=length):
                self.assertIn(self.told(path), (None, self.said))

    def test_gone(self):
        """If the file is missing, opening fails, or the store has every confirmed message."""
        path = self.copy(self.killed)
        path.unlink()
        self.assertIn(self.told(path), (None, self.said))

    def test_one_byte(self):
        """The store refuses a file of one byte; it is not a new database."""
        path = self.copy(self.good)
        path.write_bytes(b"S")
        self.assertIsNone(self.told(path))
        self.assertEqual(path.read_bytes(), b"S")

    def test_cut_within_a_page(self):
        """The store refuses a file that was cut anywhere, not only between pages."""
        size = (self.good / "chatd.db").stat().st_size
        for length in (PAGE - 1, PAGE + 1, size // 2 + 1, size - 100, size - 1):
            path = self.copy(self.good)
            with path.open("r+b") as file:
                file.truncate(length)
            with self.subTest(length=length):
                self.assertIsNone(self.told(path))


class GoingOnTests(StoreCase):
    """The store after a failed transaction."""

    def setUp(self):
        super().setUp()
        self.streams, self.database = self.make_streams()
        self.streams.open_stream(LOBBY, "Lobby")
        self.streams.append(entries(1))

    def test_lock_is_let_go(self):
        """A transaction that fails at its beginning leaves no lock on the database."""
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
        """If another program wrote to the database, the store notices by failing at the latest."""
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
