"""A database from before private rooms, opened by the current version."""

import sqlite3
from contextlib import closing

from chatd.storage.privateroom import PrivateRoom
from chatd.storage.sqlite.database import Database
from chatd.storage.sqlite.schema import MIGRATIONS, PRIVATE_ROOMS, migrate
from tests.storage.stores import LOBBY, StoreCase, entries

BEFORE = MIGRATIONS[: MIGRATIONS.index(PRIVATE_ROOMS)]


class PrivateUpgradeTests(StoreCase):
    """The step that added the tables of private rooms."""

    def test_upgrade(self):
        """The database keeps its messages, has no private room, and can keep such rooms."""
        streams, database = self.make_streams(migrations=BEFORE)
        streams.append(entries(1, 2))
        self.assertEqual(self.version_of(database), len(BEFORE))
        streams.close()
        streams, database = self.make_streams()
        self.assertEqual(self.version_of(database), len(MIGRATIONS))
        self.assertFalse(database.was_put_back)
        page = streams.read(LOBBY, after=0, before=None, limit=10, max_bytes=10**6)
        self.assertEqual([message.id for message in page.messages], ["1", "2"])
        self.assertEqual(streams.private_rooms(), [])
        den = PrivateRoom("den", "Den", frozenset({"ann"}))
        streams.keep_private(den, instead_of=None)
        self.assertEqual(streams.private_rooms(), [den])

    def test_same_tables(self):
        """The tables, indexes and view are those of a new database."""
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as new:
            migrate(new)
            expected = self.schema_of(new)
        older, _ = self.make_streams(migrations=BEFORE)
        older.close()
        _, database = self.make_streams()
        self.assertEqual(self.schema_of(database.connection), expected)

    def version_of(self, database: Database) -> int:
        (version,) = database.connection.execute("PRAGMA user_version").fetchone()
        return int(version)

    def schema_of(self, connection):
        """Return the statements that make the schema of a database."""
        return sorted(connection.execute("SELECT name, sql FROM sqlite_master").fetchall())
