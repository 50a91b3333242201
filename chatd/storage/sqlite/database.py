"""The SQLite store's directory: its lock, its database file, and what is known of the last run.

Nothing here knows of Twisted; what blocks, blocks whoever calls.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path

from chatd.errors import ConfigurationError, StoreError
from chatd.storage.sqlite.mark import Mark
from chatd.storage.sqlite.schema import MIGRATIONS, migrate, roll_back

__all__ = ["BUSY_TIMEOUT_S", "Database", "Durability", "read_boot_id"]

BUSY_TIMEOUT_S = 2.0
"""How long another program, such as the ``sqlite3`` command, may hold the database."""
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_CACHE_KIB = 16 * 1024
_MAX_WAL_BYTES = 64 * 1024 * 1024  # what is left of it when a checkpoint has emptied it
_CHECKPOINT_PAGES = 4000  # a page that changes often is put in its place less often than by default
_HEADER_BYTES = 100
_SYNCHRONOUS_FULL = "PRAGMA synchronous = FULL"


class Durability(str, Enum):
    """What an answered append survives.

    In either case it survives the end of the process, however that comes. See
    https://www.sqlite.org/pragma.html#pragma_synchronous.
    """

    FULL = "full"
    """A power cut too: each transaction waits for the disk."""
    NORMAL = "normal"
    """All but a power cut, which may lose the last moments; every stream has a new epoch then."""


def read_boot_id() -> str:
    """Return what names this run of the operating system; empty where it cannot be told."""
    try:
        return Path(_BOOT_ID).read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


class Database:
    """The database in a directory that this process has for itself.

    Args:
        directory: The directory; it is made with mode 0700 if it is missing.
        durability: What a transaction survives.
        boot_id: What tells one run of the operating system from another; see `read_boot_id`.
        busy_timeout_s: How long another program may hold the database, in seconds.
        migrations: See `chatd.storage.sqlite.schema`.

    Attributes:
        path: The database file.
        was_put_back: Whether it was found not to be the one that ran last in the directory, and
            there are streams in it, which all have new epochs then.
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
        self._directory = Path(directory).absolute()
        self.path = self._directory / "chatd.db"
        self._durability = Durability(durability)
        self._boot_id = boot_id
        self._busy_timeout_s = busy_timeout_s
        self._migrations = migrations
        self._lock: int | None = None
        self._connection: sqlite3.Connection | None = None
        self._mark = Mark(self._directory)
        self.was_put_back = False

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
        """Open the database; if what is done with it meanwhile fails, nothing is left open.

        Raises:
            ConfigurationError: The directory or what is in it cannot be used.
        """
        try:
            self._take_directory()
            try:
                yield self._open()
            except ConfigurationError as error:
                raise ConfigurationError(f"cannot use {self.path}: {error}") from error
            except (sqlite3.Error, OSError, ValueError) as error:
                raise ConfigurationError(f"cannot use {self.path}: {_why(error)}") from error
        except BaseException:
            self.let_go()
            raise

    def close(self) -> None:
        """Take note that this run ended well, and let go of everything.

        Raises:
            StoreError: That could not be noted; everything is let go of all the same.
        """
        if self._connection is None:
            return
        try:
            with self.guarded():
                self._connection.execute(_SYNCHRONOUS_FULL)
                self._note_run(clean="yes")
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Close the files, as the end of the process would."""
        connection, self._connection = self._connection, None
        lock, self._lock = self._lock, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()
        self._mark.let_go()
        if lock is not None:
            os.close(lock)

    def said(self, messages: int) -> None:
        """Take note that messages were said, and are in the database."""
        self._mark.add(messages)

    def renew_mark(self) -> None:
        """Let a copy that was made until now be known as one, should it be put back."""
        if self._mark.has_moved:
            self._note_run(clean="no")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run what is within as one transaction: all of it is done, or nothing."""
        connection = self.connection
        try:
            connection.execute("BEGIN IMMEDIATE")  # which may fail with the lock already taken
            yield
            connection.execute("COMMIT")
        except BaseException:
            roll_back(connection)
            raise

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn what SQLite and the operating system raise into `StoreError`."""
        if self._connection is not None:
            roll_back(self._connection)  # a transaction that could not be ended when it failed
        try:
            yield
        except (sqlite3.Error, OSError, OverflowError) as error:  # the last for huge contents
            raise StoreError(f"{self.path}: {_why(error)}") from error

    def _take_directory(self) -> None:
        """Make the directory if need be, and keep other daemons out of it."""
        try:
            if not self._directory.is_dir():
                self._directory.mkdir(0o700, parents=True, exist_ok=True)
                self._directory.chmod(0o700)
            self._lock = os.open(self._directory / "chatd.lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigurationError(f"{self._directory} is in use by another chatd") from error
        except FileExistsError as error:
            raise ConfigurationError(f"cannot use {self._directory}: it is no directory") from error
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"cannot use {self._directory}: {_why(error)}") from error

    def _open(self) -> sqlite3.Connection:
        """Connect to a current database, and take note that it is in use."""
        self._check_size()
        if not self.path.exists():  # SQLite gives its further files the same mode
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            self.path.chmod(0o600)  # whatever the umask
        connection = self._connection = sqlite3.connect(
            self.path,
            timeout=self._busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
        )
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise ConfigurationError("there can be no write-ahead log beside it")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {_MAX_WAL_BYTES}")
        # The note of this run must be on the disk before what may be lost with this run.
        connection.execute(_SYNCHRONOUS_FULL)
        migrate(connection, self._migrations)
        self._note_run(clean="no", is_first=True)
        if self._durability is Durability.NORMAL:
            connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _check_size(self) -> None:
        """Refuse a file that was cut short where SQLite would not, and would begin a new one.

        The page's size is in bytes 16 and 17 of the header
        (https://www.sqlite.org/fileformat.html, section 1.3.2). Beside a write-ahead log the file
        may end anywhere but in its header: what is missing is in the other.

        Raises:
            ConfigurationError: It was cut short.
        """
        wal = self.path.with_name(f"{self.path.name}-wal")
        has_log = wal.exists() and wal.stat().st_size > 0
        header = b""
        size = 0
        if self.path.is_file():
            size = self.path.stat().st_size
            with self.path.open("rb") as file:
                header = file.read(_HEADER_BYTES)
        if not header and not has_log:
            if self._mark.is_left_alone():
                raise ConfigurationError(
                    "it is gone or empty, and messages were said in it; restore it from a copy, or "
                    f"remove {self._directory}/chatd.mark.* to begin anew"
                )
            return
        if len(header) < _HEADER_BYTES:
            raise ConfigurationError("it was cut short, or is gone; restore it from a copy")
        page = int.from_bytes(header[16:18], "big")
        if header.startswith(b"SQLite format 3\0") and not has_log and page > 1 and size % page:
            raise ConfigurationError("it was cut short; restore it from a copy")

    def _note_run(self, *, clean: str, is_first: bool = False) -> None:
        """Take note of this run in the database, and make a new mark beside it.

        Args:
            clean: Whether it has ended, and well: `yes` or `no`.
            is_first: Whether it begins: then streams whose places may be given out a second time,
                to other messages, have new epochs.
        """
        with self.transaction():
            said = self._count_said()
            if is_first:
                self._renew_epochs(said)
            notes = {
                "boot_id": self._boot_id(),
                "durability": self._durability.value,
                "clean": clean,
                **self._mark.renew(said),
            }
            self.connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", notes.items())
        self._mark.drop_others()
        self._sync_directory()

    def _renew_epochs(self, said: int) -> None:
        last = dict(self.connection.execute("SELECT name, value FROM meta"))
        is_own = self._mark.is_of(last, said)
        if is_own and not self._may_have_lost(last):
            return
        renewed = self.connection.execute("UPDATE streams SET epoch = lower(hex(randomblob(16)))")
        self.was_put_back = renewed.rowcount > 0 and not is_own

    def _count_said(self) -> int:
        """Return how many messages were ever said, those of streams that are gone included."""
        (said,) = self.connection.execute(
            "SELECT (SELECT coalesce(sum(seq), 0) FROM streams)"
            " + (SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'removed')"
        ).fetchone()
        return int(said)

    def _may_have_lost(self, last: Mapping[str, str]) -> bool:
        """Say whether a power cut may have taken what the last run had answered."""
        if last.get("clean", "yes") == "yes" or last["durability"] == Durability.FULL:
            return False
        return not last["boot_id"] or last["boot_id"] != self._boot_id()

    def _sync_directory(self) -> None:
        """Have the names of the files on the disk."""
        descriptor = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _why(error: Exception) -> str:
    """Return the reason in an error, in one line."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return " ".join(text.split())
