"""The SQLite store's database: its connection, its transactions and its errors.

Nothing here knows of Twisted; every call blocks its caller.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from chatd.errors import ConfigurationError, StoreError
from chatd.storage.sqlite.directory import Directory, identity_of, sync, why
from chatd.storage.sqlite.runs import RunNotes, read_boot_id
from chatd.storage.sqlite.schema import MIGRATIONS, migrate, roll_back
from chatd.storage.values import Durability

__all__ = ["BUSY_TIMEOUT_S", "Database"]

BUSY_TIMEOUT_S = 2.0
"""The longest time that another program, such as the ``sqlite3`` command, may lock the database."""
_CACHE_KIB = 16 * 1024
_MAX_WAL_BYTES = 64 * 1024 * 1024  # the most that its file keeps after a checkpoint
_CHECKPOINT_PAGES = 4000  # more than the default, so that pages that change often are copied less
_SYNCHRONOUS_FULL = "PRAGMA synchronous = FULL"

T = TypeVar("T")


class Database:
    """The database in a directory that this process alone uses.

    Args:
        directory: The directory; it is made with mode 0700 if it is missing.
        durability: The failures that a transaction survives.
        boot_id: Returns the id of the system's present boot; see `read_boot_id`.
        busy_timeout_s: The longest time that another program may lock the database, in seconds.
        migrations: See `chatd.storage.sqlite.schema`.

    Attributes:
        path: The database file.
        old_version: The version of the tables before they were migrated; 0 for a new database.
        version: The version of the tables.
        was_put_back: Whether the database has run, but is not the one that ran last in the
            directory. Then all streams have new epochs.
        was_stopped: Whether its last run had ended when it was written last.
    """

    def __init__(
        self,
        directory: str | Path,
        durability: Durability,
        *,
        boot_id: Callable[[], str] = read_boot_id,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        migrations: Sequence[Sequence[str]] = MIGRATIONS,
    ) -> None:
        self._directory = Directory(directory)
        self.path = self._directory.database
        self._mark = self._directory.mark
        self._durability = Durability(durability)
        self._notes = RunNotes(self._mark, self._durability, boot_id)
        self._busy_timeout_s = busy_timeout_s
        self._migrations = migrations
        self._connection: sqlite3.Connection | None = None
        self._files: list[tuple[Path, tuple[int, int]]] = []
        self.old_version = 0
        self.version = len(migrations)
        self.was_put_back = False
        self.was_stopped = True

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection.

        Raises:
            StoreError: The database is not open.
        """
        if self._connection is None:
            raise StoreError(f"{self.path} is not open")
        return self._connection

    @contextmanager
    def opening(self) -> Iterator[sqlite3.Connection]:
        """Open the database; if the code within fails, all files are closed again.

        Raises:
            ConfigurationError: The directory or a file in it cannot be used.
        """
        try:
            self._directory.take()
            try:
                yield self._open()
            except ConfigurationError as error:
                raise ConfigurationError(f"cannot use {self.path}: {error}") from error
            except (sqlite3.Error, OSError, ValueError, OverflowError) as error:
                raise ConfigurationError(f"cannot use {self.path}: {why(error)}") from error
        except BaseException:
            self.let_go()
            raise

    def close(self) -> None:
        """Note that this run ended well, and close the files.

        Raises:
            StoreError: The note could not be written; the files are closed all the same.
        """
        if self._connection is None:
            return
        try:
            with self.guarded():
                self._connection.execute(_SYNCHRONOUS_FULL)
                self._note(self._notes.end)
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Close the files, as the end of the process would."""
        connection, self._connection = self._connection, None
        self._files = []
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()
        self._directory.let_go()

    def said(self, messages: int) -> None:
        """Count messages that were appended to the database."""
        self._mark.add(messages)

    def renew_mark(self) -> None:
        """Make a new mark, so that a copy from before is detected if it is put back."""
        if self._mark.has_moved:
            self._note(self._notes.go_on)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the code within as one transaction: all its changes are kept, or none.

        Raises:
            StoreError: The files were deleted or replaced: the next run would not find the changes.
        """
        connection = self.connection
        for path, identity in self._files:
            if identity_of(path) != identity:
                raise StoreError(
                    f"{path} was deleted or replaced while the daemon runs; nothing is stored "
                    "until it is back or the daemon is restarted"
                )
        try:
            connection.execute("BEGIN IMMEDIATE")  # may fail with the lock already taken
            yield
            connection.execute("COMMIT")
        except BaseException:
            roll_back(connection)
            raise

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn errors of SQLite and of the operating system into `StoreError`."""
        if self._connection is not None:
            roll_back(self._connection)  # an earlier rollback may have failed
        try:
            yield
        except (sqlite3.Error, OSError, OverflowError) as error:  # the last for huge contents
            raise StoreError(f"{self.path}: {why(error)}") from error

    def _open(self) -> sqlite3.Connection:
        """Connect to the database, migrate it to the last version, and note that a run begins."""
        self._directory.check_database()
        self._directory.make_database()
        connection = self._connection = sqlite3.connect(
            self.path,
            timeout=self._busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
        )
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise ConfigurationError("SQLite cannot keep a write-ahead log beside it")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {_MAX_WAL_BYTES}")
        # The note of this run must be on the disk before any message that this run may lose.
        connection.execute(_SYNCHRONOUS_FULL)
        self.old_version = migrate(connection, self._migrations)
        last = self._note(self._notes.begin)
        self.was_put_back, self.was_stopped = not last.was_here, last.has_ended
        # Then a copy of the database alone has the note, and is recognized.
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        self._files = [(path, identity_of(path)) for path in (self.path, self._directory.wal)]
        if self._durability is Durability.NORMAL:
            connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _note(self, note: Callable[[sqlite3.Connection], T]) -> T:
        """Write a note of this run in a transaction; then its new mark is the only mark."""
        with self.transaction():
            noted = note(self.connection)
        self._mark.drop_others()
        sync(self._directory.path)
        return noted
