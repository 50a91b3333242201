"""A store with damaged files: opening fails in one line, or every read result is right."""

from __future__ import annotations

import random

import pytest

from chatd.errors import ConfigurationError, StoreError
from chatd.storage.sqlite.database import Database
from chatd.storage.sqlite.streams import SqliteStreams
from chatd.storage.values import Durability, Retention
from tests.storage.sqlite.faults import BATCHES, CONTENT, PAGE, PER_BATCH, FilesCase
from tests.storage.stores import LOBBY, NOW, entry


class DatabaseFileTests(FilesCase):
    """Damage to `chatd.db`."""

    def test_as_it_is(self):
        """Undamaged files have all messages, whether the daemon ended well or was killed."""
        self.assertEqual(self.told(self.copy(self.good)), self.said)
        path = self.copy(self.killed)
        self.assertEqual(self.told(path), self.said)
        self.goes_on(path)

    def test_truncated(self):
        """The store refuses a file that lost its end, and never reads it as a whole file."""
        size = (self.good / "chatd.db").stat().st_size
        for length in (15, 99, 100, PAGE, 2 * PAGE, size // PAGE // 2 * PAGE, size - PAGE):
            path = self.copy(self.good)
            with path.open("r+b") as file:
                file.truncate(length)
            with self.subTest(length=length):
                self.assertIsNone(self.told(path))

    def test_header(self):
        """The store refuses a database with a damaged header, and does not change it."""
        for start, size in ((0, 16), (0, 100), (0, PAGE), (16, 2)):
            path = self.copy(self.good)
            overwrite(path, start, random.Random(start).randbytes(size))
            damaged = path.read_bytes()
            with self.subTest(start=start, size=size):
                self.assertIsNone(self.told(path))
                self.assertEqual(path.read_bytes(), damaged)

    def test_page(self):
        """The store refuses a database with a damaged page, or reads all its messages right."""
        pages = (self.good / "chatd.db").stat().st_size // PAGE
        self.assertGreater(pages, 20)
        refused = 0
        for page in range(1, pages):
            path = self.copy(self.good)
            overwrite(path, page * PAGE, random.Random(page).randbytes(PAGE))
            with self.subTest(page=page):
                told = self.told(path)
                self.assertIn(told, (None, self.said))
                refused += told is None
        self.assertGreaterEqual(refused, pages // 2)

    def test_zeros(self):
        """The store refuses a database with a page of zeros, or all its messages are right."""
        pages = (self.good / "chatd.db").stat().st_size // PAGE
        for page in range(1, pages, 3):
            path = self.copy(self.good)
            overwrite(path, page * PAGE, bytes(PAGE))
            with self.subTest(page=page):
                self.assertIn(self.told(path), (None, self.said))

    def test_say_on(self):
        """Beside a damaged page, a new message gets its right place, or is not stored."""
        pages = (self.good / "chatd.db").stat().st_size // PAGE
        stored = 0
        for page in range(1, pages):
            path = self.copy(self.good)
            overwrite(path, page * PAGE, random.Random(page).randbytes(PAGE))
            with self.subTest(page=page):
                stored += self.say_one(path)
        self.assertGreater(stored, pages // 4)

    def say_one(self, path):
        """Append a message if the store can be opened, and return whether it was stored."""
        database = Database(path.parent, Durability.NORMAL)
        streams = SqliteStreams(database, Retention(), lambda: NOW)
        try:
            streams.open()
            (outcome,) = streams.append([entry("one more", CONTENT)])
            self.assertEqual(outcome.message.seq, len(self.said) + 1)
            page = streams.read(LOBBY, after=len(self.said), before=None, limit=2, max_bytes=10**6)
            self.assertEqual(page.messages, [outcome.message])
        except (ConfigurationError, StoreError) as error:
            self.assert_one_line(error, path)
            return False
        finally:
            database.let_go()
        return True

    def test_empty(self):
        """An empty file, as an early kill leaves it, is a new database if no mark has a count."""
        path = self.copy(self.good)
        path.write_bytes(b"")
        self.assertIsNone(self.told(path))  # the mark beside it has a higher count
        for mark in path.parent.glob("chatd.mark.*"):
            mark.unlink()
        self.assertEqual(self.told(path), [])
        self.goes_on(path)


class LogFileTests(FilesCase):
    """Damage to `chatd.db-wal` and the other files beside it."""

    def test_garbage(self):
        """The store ignores garbage beside a database that was closed well."""
        for size in (1, 31, 32, 1000, 100 * PAGE):
            path = self.copy(self.good)
            wal_of(path).write_bytes(random.Random(size).randbytes(size))
            with self.subTest(size=size):
                self.assertEqual(self.told(path), self.said)
                self.goes_on(path)
                self.said.pop()

    def test_cut_short(self):
        """A write-ahead log that was cut keeps the first transactions, whole, and goes on."""
        size = wal_of(self.killed / "chatd.db").stat().st_size
        random_ = random.Random(0)
        lengths = {0, 1, 31, 32, 33, size - 1, *(random_.randrange(size) for _ in range(40))}
        numbers = set()
        for length in sorted(lengths):
            path = self.copy(self.killed)
            with wal_of(path).open("r+b") as file:
                file.truncate(length)
            told = self.told(path)
            with self.subTest(length=length):
                self.assert_whole_transactions(told)
                numbers.add(len(told))
        self.assertGreater(len(numbers), BATCHES // 2)

    def test_flipped(self):
        """A write-ahead log with a wrong bit ends before that bit."""
        size = wal_of(self.killed / "chatd.db").stat().st_size
        for seed in range(30):
            path = self.copy(self.killed)
            offset = random.Random(seed).randrange(size)
            data = bytearray(wal_of(path).read_bytes())
            data[offset] ^= 1 << seed % 8
            wal_of(path).write_bytes(data)
            with self.subTest(offset=offset):
                self.assert_whole_transactions(self.told(path))

    def test_index(self):
        """The store makes the index of the write-ahead log again, whatever its content is."""
        for content in (b"", b"x", bytes(32768), random.Random(1).randbytes(32768)):
            path = self.copy(self.killed)
            path.with_name("chatd.db-shm").write_bytes(content)
            with self.subTest(size=len(content)):
                self.assertEqual(self.told(path), self.said)

    def test_in_the_place_of_a_file(self):
        """The store refuses a directory in the place of a file."""
        for name in ("chatd.db-wal", "chatd.db-shm", "chatd.lock"):
            path = self.copy(self.good)
            path.with_name(name).unlink(missing_ok=True)
            path.with_name(name).mkdir()
            with self.subTest(name=name), pytest.raises(ConfigurationError) as caught:
                SqliteStreams(Database(path.parent, Durability.NORMAL), Retention(), float).open()
            self.assert_one_line(caught.value, path.parent)

    def assert_whole_transactions(self, told):
        self.assertEqual(told, self.said[: len(told)])
        self.assertEqual(len(told) % PER_BATCH, 0)


def wal_of(path):
    """Return the path of a database's write-ahead log."""
    return path.with_name(f"{path.name}-wal")


def overwrite(path, start, data):
    """Write over a part of a file."""
    with path.open("r+b") as file:
        file.seek(start)
        file.write(data)
