"""Locks, so that programs do not change a file or a directory at the same time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic, sleep

from chatd.errors import ConfigurationError

__all__ = ["lock_until", "only_writer_of"]

_RETRY_S = 0.005
"""Seconds between two attempts to get a lock."""
_FLAGS = os.O_RDONLY | os.O_NONBLOCK


def lock_until(descriptor: int, deadline: float) -> bool:
    """Lock an open file or directory; wait for another program that has locked it.

    Args:
        descriptor: The file or directory; the lock ends when it is closed.
        deadline: When to give up, as a time of `monotonic`.

    Returns:
        False if another program has the lock at the deadline. On a file system without locks, no
        program can have it, so the result is True.
    """
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic() >= deadline:
                return False
            sleep(_RETRY_S)
        except OSError:  # some file systems have no locks
            return True
        else:
            return True


@contextmanager
def only_writer_of(path: str, *, wait_s: float) -> Iterator[None]:
    """Lock a file while the code within replaces it; then write its directory's entries to disk.

    The lock is on the file itself: other users cannot open a private file, so they cannot lock it.
    A file that does not exist yet is locked by its directory.

    Args:
        path: The file.
        wait_s: How long to wait for another program that has the lock, in seconds.

    Raises:
        ConfigurationError: Another program has locked the file.
        OSError: The file cannot be opened.
    """
    descriptor = _locked(path, monotonic() + wait_s)
    try:
        yield
    finally:
        os.close(descriptor)
    with suppress(OSError):  # some file systems cannot do that; the file is in place anyway
        _sync(os.path.dirname(path))


def _locked(path: str, deadline: float) -> int:
    """Return a descriptor with the lock."""
    while True:
        descriptor = _opened(path)
        try:
            if not lock_until(descriptor, deadline):
                raise ConfigurationError(f"another program has locked {path} now")
            if os.path.samestat(os.fstat(descriptor), _status(path)):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the program that had the lock has replaced the file


def _opened(path: str) -> int:
    try:
        return os.open(path, _FLAGS)
    except FileNotFoundError:
        return os.open(os.path.dirname(path), _FLAGS)


def _status(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return os.stat(os.path.dirname(path))


def _sync(directory: str) -> None:
    descriptor = os.open(directory, _FLAGS)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
