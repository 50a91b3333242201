"""`copy_database`: copies the database of a daemon, which may run meanwhile."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from chatd.errors import ConfigurationError
from chatd.storage.sqlite.directory import LOCK, Directory, sync, why
from chatd.storage.sqlite.schema import APPLICATION_ID

__all__ = ["copy_database"]

_UNFINISHED = "chatd.unfinished-copy"


def copy_database(
    directory: str | Path,
    target: str | Path,
    *,
    connect: Callable[[str], sqlite3.Connection] = sqlite3.connect,
) -> None:
    """Copy the database of a data directory into another directory.

    The copy holds every message that was confirmed before the call. It is made in one transaction,
    so messages that are appended meanwhile do not delay it: SQLite's online backup, page by page,
    begins again after each of them (https://www.sqlite.org/backup.html). The new copy takes the
    place of an earlier one when it is whole and on the disk.

    Args:
        directory: The data directory of a daemon.
        target: The directory for the copy; it is made with mode 0700 if it is missing.
        connect: Opens a database by its path.

    Raises:
        ConfigurationError: There is no database, the copy cannot be written, or the target has
            files that are no copy. An earlier copy is as it was.
    """
    source, copies = Directory(directory), Directory(target)
    try:
        _check(source, copies)
        copies.make()
        lock = os.open(copies.path, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _copy(source.database, copies, connect)
        finally:
            os.close(lock)
    except BlockingIOError as error:
        raise ConfigurationError(f"another backup writes to {copies.path} now") from error
    except (sqlite3.Error, OSError) as error:
        raise ConfigurationError(
            f"cannot copy {source.database} to {copies.path}: {why(error)}"
        ) from error


def _check(source: Directory, copies: Directory) -> None:
    """Check that there is a database, and that nothing but an earlier copy would be replaced."""
    if not source.database.is_file():
        raise ConfigurationError(f"there is no {source.database}: give a daemon's --data directory")
    if (copies.path / LOCK).exists():
        raise ConfigurationError(f"{copies.path} is the data directory of a daemon, and no copy")
    if not copies.database.exists():
        return
    with closing(sqlite3.connect(copies.database)) as connection, suppress(sqlite3.DatabaseError):
        if connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,):
            return
    raise ConfigurationError(f"{copies.database} is not a database of chatd; it stays as it is")


def _copy(database: Path, copies: Directory, connect: Callable[[str], sqlite3.Connection]) -> None:
    """Write the copy under another name, and rename it when it is on the disk."""
    unfinished = copies.path / _UNFINISHED
    unfinished.unlink(missing_ok=True)  # from a copy that was killed
    descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with closing(connect(str(database))) as connection:
            if connection.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
                raise ConfigurationError(f"{database} is not a database of chatd")
            connection.execute("VACUUM INTO ?", (str(unfinished),))
        # This copy is whole, though the run that it has a part of goes on.
        with closing(sqlite3.connect(unfinished)) as connection, connection:
            connection.execute("UPDATE meta SET value = 'yes' WHERE name = 'clean'")
        os.fsync(descriptor)  # SQLite does not wait for the disk here
        unfinished.rename(copies.database)
        sync(copies.path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
