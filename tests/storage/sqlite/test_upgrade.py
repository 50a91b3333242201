"""A database of the version before, opened by the current version."""

import sqlite3
from contextlib import closing

from chatd.storage.sqlite.schema import MIGRATIONS, migrate
from tests.storage.stores import DIRECT, LOBBY, StoreCase, entries, entry

VERSION_BEFORE = MIGRATIONS[:4]
COLUMNS = "id, key, name, topic, epoch, seq, oldest, bytes, one, other"


class UpgradeTests(StoreCase):
    """The step that renamed the tables, on a database with all kinds of data."""

    def setUp(self):
        super().setUp()
        streams, database = self.make_streams()
        streams.open_stream(LOBBY, "Lobby")
        streams.set_topic(LOBBY, "tea")
        streams.append([*entries(1, 2), entry("1", b"caf\xc3\xa9", stream=DIRECT)])
        self.before = self.everything(streams)
        streams.close()
        self.downgrade(database.path)

    def downgrade(self, path):
        """Replace a database by a database of the version before, with the same rows."""
        older = path.with_name("older.db")
        with closing(sqlite3.connect(older, isolation_level=None)) as connection:
            migrate(connection, VERSION_BEFORE)
            connection.execute("ATTACH ? AS current", (str(path),))
            connection.execute("DELETE FROM meta")
            connection.execute("INSERT INTO meta SELECT * FROM current.meta")
            connection.execute(f"INSERT INTO logs SELECT {COLUMNS} FROM current.streams")
            connection.execute("INSERT INTO messages SELECT * FROM current.messages")
        older.rename(path)

    def everything(self, streams):
        """Return all that a store answers: the states of its streams and their messages."""
        pages = [
            streams.read(stream, after=0, before=None, limit=10, max_bytes=10**6)
            for stream in (LOBBY, DIRECT)
        ]
        return pages, streams.rooms("", 10), streams.conversations("bob", "", 10)

    def test_keeps_everything(self):
        """Messages, topics, names and epochs are unchanged."""
        streams, database = self.make_streams()
        self.assertEqual(self.everything(streams), self.before)
        self.assertFalse(database.was_put_back)

    def test_goes_on(self):
        """The next message has the next place, and the store knows the ids of old messages."""
        streams, _ = self.make_streams()
        outcomes = streams.append(entries(2, 3))
        self.assertEqual(
            [(each.message.seq, each.is_new) for each in outcomes], [(2, False), (3, True)]
        )

    def test_same_tables(self):
        """The tables, indexes and view are those of a new database."""
        _, database = self.make_streams()
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as new:
            migrate(new)
            self.assertEqual(schema_of(database.connection), schema_of(new))


def schema_of(connection):
    """Return the statements that make the schema of a database."""
    return sorted(connection.execute("SELECT name, sql FROM sqlite_master").fetchall())
