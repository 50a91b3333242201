"""Opening the database."""

import sqlite3

import pytest

from chatd.errors import ConfigurationError
from chatd.storage.sqlite.database import Database
from chatd.storage.sqlite.schema import MIGRATIONS
from chatd.storage.values import Durability
from tests.storage.stores import SqliteCase, entries


class OpeningTests(SqliteCase):
    def test_failing_step(self):
        """If a migration fails, the store refuses the database, which keeps its version."""
        streams, _ = self.make_streams()
        streams.append(entries(1))
        streams.close()
        steps = [*MIGRATIONS, ("DROP TABLE messages", "INSERT INTO nowhere VALUES (1)")]
        broken = Database(self.directory, Durability.FULL, migrations=steps)
        refused = pytest.raises(ConfigurationError, match=r"chatd\.db: no such table: nowhere$")
        with refused, broken.opening():
            pass
        streams, _ = self.make_streams()
        self.assertEqual(self.ids_in(streams), ["1"])

    def test_no_write_ahead_log(self):
        """The store refuses a database that cannot have a write-ahead log."""
        connect = sqlite3.connect

        class NoLog(sqlite3.Connection):
            def execute(self, statement, *values):
                return super().execute(statement.replace("= WAL", "= DELETE"), *values)

        self.patch(sqlite3, "connect", lambda *args, **kw: connect(*args, factory=NoLog, **kw))
        with pytest.raises(ConfigurationError, match=r"cannot keep a write-ahead log beside it$"):
            self.make_streams()
