"""The tables, and the migration from an older version to the current one."""

import sqlite3
from contextlib import closing

import pytest
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import ConfigurationError
from chatd.storage.sqlite.schema import APPLICATION_ID, MIGRATIONS, migrate, roll_back
from chatd.storage.values import Retention
from tests.storage.stores import DIRECT, LOBBY, SqliteCase, entry


class SchemaTestCase(SynchronousTestCase):
    def setUp(self):
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(self.connection.close)

    def value_of(self, statement):
        (value,) = self.connection.execute(statement).fetchone()
        return value

    def names(self):
        """Return the names of all tables, indexes and views."""
        rows = self.connection.execute("SELECT name FROM sqlite_master WHERE sql IS NOT NULL")
        return {name for (name,) in rows}


class MigrateTests(SchemaTestCase):
    def test_new(self):
        """An empty database gets all steps, and is marked as chatd's."""
        migrate(self.connection)
        self.assertEqual(self.value_of("PRAGMA user_version"), len(MIGRATIONS))
        self.assertEqual(self.value_of("PRAGMA application_id"), APPLICATION_ID)
        self.assertLess({"meta", "streams", "messages", "said"}, self.names())

    def test_current(self):
        """A current database stays as it is."""
        migrate(self.connection)
        before = self.connection.serialize() if hasattr(self.connection, "serialize") else b""
        migrate(self.connection)
        after = self.connection.serialize() if hasattr(self.connection, "serialize") else b""
        self.assertEqual(after, before)
        self.assertEqual(self.value_of("PRAGMA user_version"), len(MIGRATIONS))

    def test_from_the_first(self):
        """A migrated database of version 1 has all its data."""
        migrate(self.connection, MIGRATIONS[:1])
        self.assertEqual(self.value_of("PRAGMA user_version"), 1)
        self.assertNotIn("said", self.names())
        self.connection.execute(
            "INSERT INTO logs VALUES (7, 'room lobby', 'Lobby', '', 'e', 2, 2, 3, NULL, NULL)"
        )
        self.connection.executemany(
            "INSERT INTO messages VALUES (7, ?, 'ann', ?, 'Ann', 'Lobby', NULL, 0.0, 'text', ?)",
            [(1, "a", b"old"), (2, "b", b"new")],
        )
        migrate(self.connection)
        self.assertEqual(self.value_of("PRAGMA user_version"), len(MIGRATIONS))
        self.assertEqual(
            self.connection.execute("SELECT * FROM said").fetchall(),
            [("room lobby", 2, "1970-01-01 00:00:00", "Ann", None, "text", "new")],
        )

    def test_further_steps(self):
        """A database gets only the steps that it has not had yet, in order."""
        migrate(self.connection)
        steps = [
            *MIGRATIONS,
            ("CREATE TABLE more (x)", "INSERT INTO more VALUES (1)"),
            ("UPDATE more SET x = x + 1",),
        ]
        for _ in range(2):
            migrate(self.connection, steps)
            self.assertEqual(self.value_of("SELECT x FROM more"), 2)
        self.assertEqual(self.value_of("PRAGMA user_version"), len(steps))

    def test_failing_step(self):
        """A step that fails changes nothing; the steps before it took effect."""
        good = ("CREATE TABLE more (x)", "INSERT INTO more VALUES (1)")
        bad = ("DELETE FROM more", "DROP TABLE messages", "INSERT INTO nowhere VALUES (1)")
        with pytest.raises(sqlite3.OperationalError):
            migrate(self.connection, [*MIGRATIONS, good, bad])
        self.assertEqual(self.value_of("PRAGMA user_version"), len(MIGRATIONS) + 1)
        self.assertEqual(self.value_of("SELECT x FROM more"), 1)
        self.assertIn("messages", self.names())
        self.assertFalse(self.connection.in_transaction)

    def test_newer(self):
        """The store does not change a database of a newer version."""
        migrate(self.connection, [*MIGRATIONS, ("CREATE TABLE more (x)",)])
        with pytest.raises(ConfigurationError) as caught:
            migrate(self.connection)
        version = len(MIGRATIONS)
        self.assertEqual(
            str(caught.value),
            f"it was written by a newer chatd (schema {version + 1}, known up to {version})",
        )

    def test_of_another_program(self):
        """The store does not change a database that chatd did not make."""
        for statement in (
            "CREATE TABLE theirs (x)",
            "PRAGMA user_version = 1",
            "PRAGMA application_id = 7",
        ):
            self.connection = sqlite3.connect(":memory:", isolation_level=None)
            self.addCleanup(self.connection.close)
            self.connection.execute(statement)
            with pytest.raises(
                ConfigurationError, match=r"^it is the database of another program$"
            ):
                migrate(self.connection)
            self.assertNotIn("streams", self.names())


class RollBackTests(SchemaTestCase):
    def test_in_transaction(self):
        """The changes of the transaction are undone."""
        self.connection.execute("BEGIN")
        self.connection.execute("CREATE TABLE more (x)")
        roll_back(self.connection)
        self.assertEqual(self.names(), set())

    def test_without_transaction(self):
        """Without a transaction, or even a connection, the call does and raises nothing."""
        roll_back(self.connection)
        self.connection.close()
        roll_back(self.connection)
        with pytest.raises(sqlite3.ProgrammingError):
            self.connection.execute("SELECT 1")


class TablesTests(SqliteCase):
    """The database as an operator sees it, and its indexes."""

    def test_readable(self):
        """An operator finds the kept messages, as text, in one view."""
        streams, database = self.make_streams(Retention(max_messages=1))
        streams.append([entry("1"), entry("2", b"caf\xc3\xa9"), entry("1", stream=DIRECT)])
        with closing(sqlite3.connect(database.path)) as connection:
            rows = connection.execute("SELECT * FROM said ORDER BY stream DESC").fetchall()
        self.assertEqual(
            rows,
            [
                (LOBBY, 2, "1970-01-12 13:46:40", "Ann", None, "text/plain", "café"),
                (DIRECT, 1, "1970-01-12 13:46:40", "Ann", "Bob", "text/plain", "hello"),
            ],
        )

    def test_indexes(self):
        """No query of the tables searches row by row."""
        _, database = self.make_streams()
        for table, where in (
            ("messages", "stream = 1 AND author = 'ann' AND id = '1'"),
            ("messages", "stream = 1 AND seq >= 1 AND time >= 0 ORDER BY seq LIMIT 1"),
            ("streams", "key = 'room lobby'"),
            ("streams", "key >= 'room ' AND key < 'room!'"),
            ("streams", "(one = 'ann' OR other = 'ann')"),
        ):
            rows = database.connection.execute(
                f"EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE {where}"
            )
            steps = [step for *_, step in rows]
            self.assertFalse(any(step.startswith(("SCAN", "USE TEMP")) for step in steps), steps)
