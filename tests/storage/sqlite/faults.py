"""Faults of a database: an instruction that fails, and files to be damaged."""

from __future__ import annotations

import shutil
from typing import Any

from chatd.errors import ConfigurationError, StoreError
from chatd.storage.sqlite.database import Database
from chatd.storage.sqlite.runs import Durability
from chatd.storage.sqlite.streams import SqliteStreams
from chatd.storage.values import Retention
from tests.storage.stores import LOBBY, NOW, StoreCase, entry


class Failing:
    """Lets a connection fail at one of the instructions that SQLite carries out.

    Those of COMMIT and ROLLBACK do not count: what is interrupted there is done all the same.

    Args:
        connection: The connection.

    Attributes:
        count: How many instructions were carried out.
    """

    def __init__(self, connection) -> None:
        self._number = 0
        self._is_ending = False
        self.count = 0
        connection.set_progress_handler(self._step, 1)
        connection.set_trace_callback(self._begins)

    def at(self, number: int) -> None:
        """Fail at an instruction, counted from now; 0 for none."""
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
        good: A directory whose daemon has ended well: all is in `chatd.db`.
        killed: One whose daemon was killed: much is in `chatd.db-wal` still.
        said: The ids of what was confirmed, in order.
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
        shutil.copytree(self.good, self.killed)  # the files as a kill leaves them
        streams.close()
        self.assertFalse((self.good / "chatd.db-wal").exists())
        self.number_of_copies = 0

    def copy(self, of):
        """A copy of a directory, and the path of the database in it."""
        self.number_of_copies += 1
        directory = self.directory / f"copy {self.number_of_copies}"
        shutil.copytree(of, directory)
        return directory / "chatd.db"

    def told(self, path):
        """What is read from the database of a directory: the ids in it; None where it is refused.

        Whatever is told is right: a message as it was said, at its place.
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
        """An error says in one line what it is about."""
        self.assertIn(str(path), str(error))
        self.assertNotIn("\n", str(error))

    def goes_on(self, path):
        """Say that a message more is stored after those that are told, and stays."""
        told = self.told(path)
        database = Database(path.parent, Durability.NORMAL)
        streams = SqliteStreams(database, Retention(), lambda: NOW)
        streams.open()
        (outcome,) = streams.append([entry("one more", CONTENT)])
        streams.close()
        self.assertEqual(outcome.message.seq, len(told) + 1)
        self.said[len(told) :] = ["one more"]
        self.assertEqual(self.told(path), [*told, "one more"])
