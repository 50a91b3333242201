"""Shared by the tests of the stores: entries, a clock that tests set, and two stores."""

import os
import tempfile
from functools import partial
from pathlib import Path

from twisted.internet.defer import Deferred, execute
from twisted.trial.unittest import SynchronousTestCase

from chatd.storage.memory import MemoryStore
from chatd.storage.sqlite.database import Database
from chatd.storage.sqlite.store import SqliteStore
from chatd.storage.sqlite.streams import SqliteStreams
from chatd.storage.streamkeys import direct_stream, room_stream
from chatd.storage.values import Durability, Entry, Retention
from chatd.wire.messages import ChatHeader

LOBBY = room_stream("lobby")
DIRECT = direct_stream("ann", "bob")
TEXT = "text/plain"
PLENTY = Retention()
NOW = 1_000_000.0
_IN_MEMORY = "/dev/shm"
"""Linux has a file system here that writes to no disk, so that no transaction waits for one."""


def entry(id, content=b"hello", *, stream=LOBBY, author="ann", time=NOW, content_type=TEXT):
    """Return an entry, with defaults for the fields that a test does not set."""
    room = stream.removeprefix("room ").title() if stream.startswith("room ") else None
    to = None if room else "Bob"
    header = ChatHeader(
        id=id, room=room, to=to, sender=author.title(), time=time, content_type=content_type
    )
    return Entry(stream, author, header, content)


def entries(*ids, **fields):
    """Return an entry for each id."""
    return [entry(str(id), **fields) for id in ids]


class AtOnce:
    """Runs functions that block at once, in the caller's thread."""

    def start(self):
        """Do nothing."""

    def stop(self):
        """Do nothing."""

    def __call__(self, function):
        return execute(function)


class Calls:
    """Calls a store's methods, and returns their results at once."""

    def __init__(self, case, store):
        self._case = case
        self._store = store

    def __getattr__(self, name):
        getattr(self._store, name)  # an unknown method is an error at once
        return partial(self._call, name)

    def _call(self, name, *args, **kwargs):
        called = getattr(self._store, name)(*args, **kwargs)
        return self._case.successResultOf(Deferred.fromCoroutine(called))

    def page(self, stream=LOBBY, *, limit=1000, max_bytes=10**9, **where):
        """Read a page, with a high limit by default."""
        return self.read(stream, limit=limit, max_bytes=max_bytes, **where)

    def rooms(self, after="", *, limit=1000):
        """List rooms, with a high limit by default."""
        return self._call("rooms", after, limit=limit)

    def conversations(self, author, after="", *, limit=1000):
        """List conversations, with a high limit by default."""
        return self._call("conversations", author, after, limit=limit)

    def ids(self, stream=LOBBY, **where):
        """Return the ids of the messages on a page."""
        return [message.id for message in self.page(stream, **where).messages]

    def head(self, stream=LOBBY):
        """Return where a stream stands."""
        return self.page(stream, limit=1).head


class StoreCase(SynchronousTestCase):
    """A test with its own clock, and stores that use it."""

    def setUp(self):
        self.now = NOW
        self.directory = self.make_directory()

    def make_directory(self):
        """Return a new directory, for this test only."""
        place = _IN_MEMORY if os.access(_IN_MEMORY, os.W_OK) else None
        directory = tempfile.TemporaryDirectory(dir=place)
        self.addCleanup(directory.cleanup)
        return Path(directory.name)

    def make_memory(self, retention=PLENTY, **options):
        store = MemoryStore(retention, unix_time=lambda: self.now, **options)
        store.open()
        return store

    def make_sqlite(self, retention=PLENTY, directory=None, durability=Durability.NORMAL):
        store = SqliteStore(
            directory or self.directory,
            retention,
            durability=durability,
            run=AtOnce(),
            unix_time=lambda: self.now,
        )
        store.open()
        self.addCleanup(lambda: self.successResultOf(Deferred.fromCoroutine(store.close())))
        return store

    def make_streams(
        self, retention=PLENTY, *, durability=Durability.NORMAL, cache=None, **database_options
    ):
        """Return the part of the SQLite store that blocks, with its database."""
        database = Database(self.directory, durability, **database_options)
        streams = SqliteStreams(database, retention, lambda: self.now, cache)
        streams.open()
        self.addCleanup(database.let_go)
        return streams, database


class SqliteCase(StoreCase):
    """A test of the part of the SQLite store that blocks."""

    def ids_in(self, streams, key=LOBBY, **where):
        """Return the ids of the messages of a stream, as the part that blocks reads them."""
        values = {"after": None, "before": None, "limit": 10**6, "max_bytes": 10**9, **where}
        return [message.id for message in streams.read(key, **values).messages]

    def expire_all(self, streams):
        """Drop all messages that are too old, and return the number of steps."""
        place, steps = streams.expire_some(), 1
        while place is not None:
            place, steps = streams.expire_some(place), steps + 1
        return steps


def count_of(database, table="messages"):
    """Return the number of rows of a table."""
    return database.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
