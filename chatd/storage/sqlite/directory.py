"""The SQLite store's directory: makes it, locks it, and checks its database file."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path

from chatd.errors import ConfigurationError
from chatd.storage.sqlite.mark import Mark

__all__ = ["LOCK", "Directory", "identity_of", "sync", "why"]

LOCK = "chatd.lock"
"""The name of the file that keeps a second daemon out."""
_HEADER_BYTES = 100


class Directory:
    """A directory that only one daemon at a time uses.

    Args:
        path: The directory; it is made with mode 0700 if it is missing.

    Attributes:
        path: The directory, absolute.
        database: The database file in it.
        wal: The write-ahead log of the database, which SQLite makes and removes.
        mark: The mark beside the database.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self.database = self.path / "chatd.db"
        self.wal = self.path / "chatd.db-wal"
        self.mark = Mark(self.path)
        self._lock: int | None = None

    def take(self) -> None:
        """Make the directory if it is missing, and lock it.

        Raises:
            ConfigurationError: The directory cannot be used, or another daemon uses it.
        """
        if "\0" in str(self.path):  # each version of Python words this in its own way
            raise ConfigurationError(f"cannot use {self.path}: the path has a null byte")
        try:
            self.make()
            self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigurationError(f"{self.path} is in use by another chatd") from error
        except FileExistsError as error:
            raise ConfigurationError(f"cannot use {self.path}: it is not a directory") from error
        except (OSError, ValueError) as error:
            reason = why(error)
            parents = map(str, self.path.parents)
            if isinstance(error, OSError) and str(error.filename) in parents:
                reason = f"cannot make {error.filename}: {reason}"
            raise ConfigurationError(f"cannot use {self.path}: {reason}") from error

    def make(self) -> None:
        """Make the directory with mode 0700 if it is missing.

        Raises:
            OSError: The directory cannot be made.
        """
        if not self.path.is_dir():
            self.path.mkdir(0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)  # whatever the umask

    def let_go(self) -> None:
        """Close the mark, and unlock the directory."""
        self.mark.let_go()
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def check_database(self) -> None:
        """Refuse a database file that was cut short where SQLite would begin a new one.

        The page size is in bytes 16 and 17 of the header
        (https://www.sqlite.org/fileformat.html, section 1.3.2). Beside a write-ahead log the file
        may end anywhere after its header: the write-ahead log has the rest.

        Raises:
            ConfigurationError: The file was cut short, or is missing.
            OSError: A file cannot be read.
        """
        has_wal = self.wal.exists() and self.wal.stat().st_size > 0
        header = b""
        size = 0
        if self.database.is_file():
            size = self.database.stat().st_size
            with self.database.open("rb") as file:
                header = file.read(_HEADER_BYTES)
        if not header and not has_wal:
            if self.mark.is_left_alone():
                raise ConfigurationError(
                    "it is missing or empty, but it had messages; restore it from a copy, or "
                    f"remove {self.path}/chatd.mark.* to begin with an empty one"
                )
            return
        if len(header) < _HEADER_BYTES:
            raise ConfigurationError("it was cut short, or is missing; restore it from a copy")
        page = int.from_bytes(header[16:18], "big")
        if header.startswith(b"SQLite format 3\0") and not has_wal and page > 1 and size % page:
            raise ConfigurationError("it was cut short; restore it from a copy")

    def make_database(self) -> None:
        """Make an empty database file with mode 0600 if there is none.

        SQLite gives the files that it makes beside it the same mode.

        Raises:
            OSError: The file cannot be made.
        """
        if not self.database.exists():
            os.close(os.open(self.database, os.O_RDWR | os.O_CREAT, 0o600))
            self.database.chmod(0o600)  # with any umask


def identity_of(path: Path) -> tuple[int, int]:
    """Return the numbers of a file and its file system; zeros if there is no such file."""
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0
    return status.st_ino, status.st_dev


def sync(directory: Path) -> None:
    """Wait until the names of the files in a directory are on the disk.

    Raises:
        OSError: The names cannot be written.
    """
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def why(error: Exception) -> str:
    """Return the reason of an error, in one line; for a damaged database, with the remedy."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    # The errors of a damaged file have this very class; those of other causes have subclasses.
    remedy = "; restore it from a copy" if type(error) is sqlite3.DatabaseError else ""
    return " ".join(text.split()) + remedy
