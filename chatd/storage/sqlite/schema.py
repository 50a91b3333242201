"""The tables of the SQLite store, and the migration of older databases.

An operator finds these with the ``sqlite3`` command:

=================  ===============================================================================
``meta``           One row for each note of the last run, see `chatd.storage.sqlite.runs`.
                   ``removed`` is the number of messages that were ever appended to streams that
                   are gone.
``streams``        One row for each room, and for each pair of names with direct messages (``one``
                   and ``other``, folded). ``seq`` is the place of the last message, ``oldest``
                   that of the oldest that is kept, ``bytes`` the size of the contents between
                   them. If ``key`` is NULL, the stream has ended; its last messages are being
                   deleted.
``messages``       The messages, by stream and ``seq``. Those before their stream's ``oldest`` are
                   no longer kept: they are deleted later, many at once.
``private_rooms``  One row for each private room: its folded name and its name.
``invited``        One row for each name that is invited to a private room; both are folded.
``said``           A view for reading: the messages that are kept, with times and contents as
                   text.
=================  ===============================================================================
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from chatd.errors import ConfigurationError

__all__ = ["APPLICATION_ID", "MIGRATIONS", "PRIVATE_ROOMS", "migrate", "roll_back"]

APPLICATION_ID = 0x43484154
"""The mark of a chatd database, ``CHAT``, in the field of SQLite's header for the application
(https://www.sqlite.org/fileformat.html, section 1.3.15)."""

_TABLES = (
    f"PRAGMA application_id = {APPLICATION_ID}",
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """
    CREATE TABLE logs (
        id INTEGER PRIMARY KEY,
        key TEXT UNIQUE,
        name TEXT NOT NULL,
        topic TEXT NOT NULL,
        epoch TEXT NOT NULL,
        seq INTEGER NOT NULL,
        oldest INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        one TEXT,
        other TEXT
    )
    """,
    "CREATE INDEX logs_of_one ON logs (one) WHERE one IS NOT NULL",
    "CREATE INDEX logs_of_other ON logs (other) WHERE other IS NOT NULL",
    # The content comes last: SQLite can read the columns before it without a large content.
    """
    CREATE TABLE messages (
        log INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        author TEXT NOT NULL,
        id TEXT NOT NULL,
        sender TEXT NOT NULL,
        room TEXT,
        recipient TEXT,
        time REAL NOT NULL,
        content_type TEXT NOT NULL,
        content BLOB NOT NULL,
        PRIMARY KEY (log, seq)
    ) WITHOUT ROWID
    """,
    "CREATE UNIQUE INDEX messages_by_id ON messages (log, author, id)",
)

_VIEW = (
    """
    CREATE VIEW said AS
    SELECT
        logs.key AS log,
        messages.seq,
        datetime(messages.time, 'unixepoch') AS utc,
        messages.sender,
        messages.recipient,
        messages.content_type,
        CAST(messages.content AS TEXT) AS text
    FROM logs JOIN messages ON messages.log = logs.id AND messages.seq >= logs.oldest
    WHERE logs.key IS NOT NULL
    """,
)

# In the order of the other name, so that the cost of a page of conversations depends on its size.
_ORDER = (
    "DROP INDEX logs_of_one",
    "DROP INDEX logs_of_other",
    "CREATE INDEX logs_of_one ON logs (one, other) WHERE one IS NOT NULL",
    "CREATE INDEX logs_of_other ON logs (other, one) WHERE other IS NOT NULL",
)

# With it, all messages ever appended can be counted: the mark beside the database holds the count.
_REMOVED = ("INSERT INTO meta VALUES ('removed', '0')",)

# Older versions called a stream a log. Only the names change; no message is written again.
_STREAMS = (
    "DROP VIEW said",
    "DROP INDEX logs_of_one",
    "DROP INDEX logs_of_other",
    "ALTER TABLE logs RENAME TO streams",
    "ALTER TABLE messages RENAME COLUMN log TO stream",
    "CREATE INDEX streams_of_one ON streams (one, other) WHERE one IS NOT NULL",
    "CREATE INDEX streams_of_other ON streams (other, one) WHERE other IS NOT NULL",
    """
    CREATE VIEW said AS
    SELECT
        streams.key AS stream,
        messages.seq,
        datetime(messages.time, 'unixepoch') AS utc,
        messages.sender,
        messages.recipient,
        messages.content_type,
        CAST(messages.content AS TEXT) AS text
    FROM streams
    JOIN messages ON messages.stream = streams.id AND messages.seq >= streams.oldest
    WHERE streams.key IS NOT NULL
    """,
)

# Apart from the streams: a room stays private after the end of its stream.
PRIVATE_ROOMS = (
    "CREATE TABLE private_rooms (key TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID",
    """
    CREATE TABLE invited (
        room TEXT NOT NULL,
        name TEXT NOT NULL,
        PRIMARY KEY (room, name)
    ) WITHOUT ROWID
    """,
)
"""The step that added the private rooms."""

MIGRATIONS: Sequence[Sequence[str]] = (_TABLES, _VIEW, _ORDER, _REMOVED, _STREAMS, PRIVATE_ROOMS)
"""The statements that make each version from the one before it, beginning with version 1.
Databases in use have these versions: to change the tables, add a step, and change no other."""


def migrate(
    connection: sqlite3.Connection, migrations: Sequence[Sequence[str]] = MIGRATIONS
) -> int:
    """Bring a database to the last version, each step in a transaction of its own.

    A step that fails leaves the database as the steps before it made it.

    Args:
        connection: A connection without transactions of its own (`isolation_level` None).
        migrations: The steps; see `MIGRATIONS`.

    Returns:
        The version before; 0 if the database was empty.

    Raises:
        ConfigurationError: The database is newer than the last step, or not chatd's; the text says
            so without naming the file.
        sqlite3.Error: A step failed.
    """
    version = _version_of(connection)
    if version > len(migrations):
        raise ConfigurationError(
            f"it was written by a newer chatd (schema {version}, known up to {len(migrations)})"
        )
    for number, statements in enumerate(migrations[version:], version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            roll_back(connection)
            raise
    return version


def roll_back(connection: sqlite3.Connection) -> None:
    """End a transaction that failed, if SQLite has not ended it already.

    It raises nothing: the caller needs the error that made the transaction fail.
    """
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    except sqlite3.Error:
        pass


def _version_of(connection: sqlite3.Connection) -> int:
    """Return a database's version; 0 if the database is empty."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (version or application or tables):
        raise ConfigurationError("it is the database of another program")
    return int(version)
