"""`copy_database`: copies the database of a daemon, which may run meanwhile."""

from __future__ import annotations

import fcntl
import os
import pwd
import sqlite3
import stat
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from types import MappingProxyType

from chatd.errors import ConfigurationError
from chatd.storage.sqlite.directory import LOCK, Directory, sync, why
from chatd.storage.sqlite.schema import APPLICATION_ID

__all__ = ["copy_database", "why_not_copied"]

_UNFINISHED = "chatd.unfinished-copy"
_LEFTOVERS = ("-wal", "-shm", "-journal")


def copy_database(
    directory: str | Path,
    target: str | Path,
    *,
    beside: Mapping[str, bytes] = MappingProxyType({}),
    connect: Callable[[str], sqlite3.Connection] = sqlite3.connect,
) -> None:
    """Copy the database of a data directory into another directory.

    The copy holds every message that was confirmed before the call. It is made in one transaction,
    so messages that are appended meanwhile do not delay it: SQLite's online backup, page by page,
    begins again after each of them (https://www.sqlite.org/backup.html). The new copy takes the
    place of an earlier one when it is whole and on the disk.

    Args:
        directory: The data directory of a daemon.
        target: The directory for the copy; it is made with mode 0700 if it is missing. Its parent
            must exist: otherwise a copy could go below a disk that is not mounted.
        beside: Other files for the target, by their names. They replace earlier ones when they and
            the database are whole and on the disk.
        connect: Opens a database by its path.

    Raises:
        ConfigurationError: There is no database, the copy cannot be written, or the target has
            files that are no copy. An earlier copy is as it was.
    """
    source, copies = Directory(directory), Directory(target)
    try:
        _check(source, copies, beside)
        is_new = not copies.path.exists()
        copies.make()
        _check_owner(copies.path)
        try:
            _copy(source.database, copies, beside, connect)
        except BaseException:
            if is_new:
                with suppress(OSError):  # somebody put a file there meanwhile
                    copies.path.rmdir()
            raise
    except BlockingIOError as error:
        raise ConfigurationError(f"another backup writes to {copies.path} now") from error
    except (sqlite3.Error, OSError) as error:
        raise ConfigurationError(
            f"cannot copy {source.database} to {copies.path}: {why_not_copied(error)}"
        ) from error


def why_not_copied(error: Exception) -> str:
    """Return the reason of an error, with the file that is in the way and the user who owns it."""
    path = error.filename if isinstance(error, OSError) else None
    if path is None:
        return why(error)
    if not isinstance(error, PermissionError):
        return f"{path}: {why(error)}"
    # A file that is missing, or below a directory that is closed, cannot be asked for its owner.
    while not os.path.lexists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    uid = os.lstat(path).st_uid
    try:
        owner = pwd.getpwuid(uid).pw_name
    except KeyError:
        owner = f"user {uid}"
    return f"{path} belongs to {owner}: {why(error)}"


def _check(source: Directory, copies: Directory, names: Iterable[str]) -> None:
    """Check that there is a database, and that nothing but an earlier copy would be replaced."""
    for path in (source.database, *_beside(source.database)):
        with suppress(FileNotFoundError, NotADirectoryError):
            # SQLite's error would not name the file. A pipe would wait for its writer.
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    if not source.database.is_file():
        raise ConfigurationError(f"there is no {source.database}: give a daemon's --data directory")
    data, copy = source.path.resolve(), copies.path.resolve()
    if copy == data or (copies.path / LOCK).exists():
        raise ConfigurationError(f"{copies.path} is the data directory of a daemon, and no copy")
    if data in copy.parents:
        raise ConfigurationError(f"{copies.path} is inside {source.path}: a copy goes elsewhere")
    if copy in data.parents:
        raise ConfigurationError(
            f"{copies.path} contains {source.path}: a copy has a directory of its own"
        )
    if not copy.parent.is_dir():
        raise ConfigurationError(
            f"there is no directory {copies.path.parent}: make it, or mount its disk"
        )
    for path in (copies.path / name for name in names):
        if path.is_dir() and not path.is_symlink():
            raise ConfigurationError(f"{path} is a directory, and no copy; it stays as it is")
    if not copies.database.exists():
        return
    try:
        os.close(os.open(copies.database, os.O_RDONLY))
    except PermissionError:
        # An earlier backup by root. A directory's owner may replace each file in it.
        if copies.path.stat().st_uid != os.geteuid():
            raise
        return
    _check_owner(copies.path)  # SQLite acts on the files beside it, too
    with closing(sqlite3.connect(copies.database)) as connection, suppress(sqlite3.DatabaseError):
        if connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,):
            return
    raise ConfigurationError(f"{copies.database} is not a database of chatd; it stays as it is")


def _check_owner(target: Path) -> None:
    """Check that nobody else can change files in the directory while they are written."""
    status = target.stat()
    if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigurationError(
            f"{target} must belong to the user of this command, and others must not write to it"
        )


def _beside(database: Path) -> list[Path]:
    """Return the paths of the files that SQLite makes beside a database."""
    return [database.with_name(database.name + ending) for ending in _LEFTOVERS]


def _copy(
    database: Path,
    copies: Directory,
    beside: Mapping[str, bytes],
    connect: Callable[[str], sqlite3.Connection],
) -> None:
    """Write the copies under other names, and rename them when all are on the disk."""
    others = {copies.path / f"{_UNFINISHED}-{name}": name for name in beside}
    unfinished = copies.path / _UNFINISHED  # it may be there from a copy that was killed
    descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not unfinished.exists() or not os.path.samestat(os.fstat(descriptor), unfinished.stat()):
            raise BlockingIOError  # another copy was finished under this name
    except BaseException:
        os.close(descriptor)
        raise
    try:
        os.ftruncate(descriptor, 0)
        with closing(connect(str(database))) as connection:
            if connection.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
                raise ConfigurationError(f"{database} is not a database of chatd")
            connection.execute("VACUUM INTO ?", (str(unfinished),))
        # This copy is whole, though the run that it has a part of goes on.
        with closing(sqlite3.connect(unfinished)) as connection, connection:
            connection.execute("UPDATE meta SET value = 'yes' WHERE name = 'clean'")
        os.fsync(descriptor)  # SQLite does not wait for the disk here
        for path, name in others.items():
            _write(path, beside[name])
        for leftover in _beside(copies.database):
            leftover.unlink(missing_ok=True)  # SQLite would mix them with the new copy
        unfinished.rename(copies.database)
        for path, name in others.items():
            path.rename(copies.path / name)
        sync(copies.path)
    except BaseException:
        for path in (unfinished, *others):
            path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def _write(path: Path, data: bytes) -> None:
    """Write a new file with mode 0600, and wait until it is on the disk."""
    path.unlink(missing_ok=True)  # it may be there from a copy that was killed
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
