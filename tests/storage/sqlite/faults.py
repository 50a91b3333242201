"""Faults of a database: an instruction that fails, and files to damage."""

from __future__ import annotations

import shutil
from typing import Any

from chatd.errors import ConfigurationError, StoreError
from chatd.storage.sqlite.database import Database
from chatd.storage.sqlite.streams import SqliteStreams
from chatd.storage.values import Durability, Retention
from tests.storage.stores import LOBBY, NOW, StoreCase, entry


class Failing:
    """Makes a connection fail at one of the instructions that SQLite executes.

    Instructions of COMMIT and ROLLBACK do not count: SQLite finishes them even if interrupted.

    Args:
        connection: The connection.

    Attributes:
        count: The number of executed instructions.
    """

    def __init__(self, connection) -> None:
        self._number = 0
        self._is_ending = False
        self.count = 0
        connection.set_progress_handler(self._step, 1)
        connection.set_trace_callback(self._begins)

    def at(self, number: int) -> None:
        """Fail at an instruction, counted from now; 0 for no failure."""
        self._number = number
        self.count = 0

    def _begins(self, statement: str) -> None:
        self._is_ending = statement in {"COMMIT", "ROLLBACK"}

    def _step(self) -> bool:
        if not self._is_ending:
            self.count += 1
        return not self._is_ending and self.count == self._number


PAGE = 4096


BATCHES = 12


PER_BATCH = 25


CONTENT = bytes(range(200))


EVERYTHING: dict[str, Any] = {"after": 0, "before": None, "limit": 100_000, "max_bytes": 10**9}


class FilesCase(StoreCase):
    """Copies of a good database, to be damaged.

    Attributes:
        good: A directory whose daemon ended well: all messages are in `chatd.db`.
        killed: A directory whose daemon was killed: many are still in `chatd.db-wal`.
        said: The ids of the confirmed messages, in order.
    """

    def setUp(self):
        super().setUp()
        self.good, self.killed = self.directory / "good", self.directory / "killed"
        database = Database(self.good, Durability.NORMAL)
        streams = SqliteStreams(database, Retention(), lambda: NOW)
        streams.open()
        self.said = []
        for batch in range(BATCHES):
            ids = [f"{batch} {number}" for number in range(PER_BATCH)]
            streams.append([entry(id, CONTENT) for id in ids])
            self.said += ids
        shutil.copytree(self.good, self.killed)  # the files that a kill leaves
        streams.close()
        self.assertFalse((self.good / "chatd.db-wal").exists())
        self.number_of_copies = 0

    def copy(self, of):
        """Copy a directory, and return the path of the database in it."""
        self.number_of_copies += 1
        directory = self.directory / f"copy {self.number_of_copies}"
        shutil.copytree(of, directory)
        return directory / "chatd.db"

    def told(self, path):
        """Return the ids in the database of a directory; None if the database is refused.

        Check that each message that is read is unchanged, and at its place.
        """
        database = Database(path.parent, Durability.NORMAL, busy_timeout_s=0.0)
        streams = SqliteStreams(database, Retention(), lambda: NOW)
        try:
            streams.open()
            page = streams.read(LOBBY, **EVERYTHING)
            for message in page.messages:
                self.assertEqual(message.id, self.said[(message.seq or 0) - 1])
                self.assertEqual(message.content, CONTENT)
            return [message.id for message in page.messages]
        except (ConfigurationError, StoreError) as error:
            self.assert_one_line(error, path)
            return None
        finally:
            database.let_go()

    def assert_one_line(self, error, path):
        """Check that an error names its file, in one line."""
        self.assertIn(str(path), str(error))
        self.assertNotIn("\n", str(error))

    def goes_on(self, path):
        """Check that the store stores one more message after the readable ones."""
        told = self.told(path)
        database = Database(path.parent, Durability.NORMAL)
        streams = SqliteStreams(database, Retention(), lambda: NOW)
        streams.open()
        (outcome,) = streams.append([entry("one more", CONTENT)])
        streams.close()
        self.assertEqual(outcome.message.seq, len(told) + 1)
        self.said[len(told) :] = ["one more"]
        self.assertEqual(self.told(path), [*told, "one more"])
