"""`check_owner`: finds the only user, besides root, who can change a database.

SQLite acts on the files that it finds beside a database, whoever put them there: a journal can even
name a file to delete (https://www.sqlite.org/atomiccommit.html, section 5.3). So root must not open
the database of another user.
"""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

from chatd.errors import ConfigurationError
from chatd.storage.sqlite.directory import Directory

__all__ = ["check_owner"]

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def check_owner(directory: Path) -> os.stat_result:
    """Check that only root and the owner of a database can change it and the files beside it.

    Args:
        directory: The data directory of a daemon, without links in its path. If root owns the
            database, only root can replace a directory in this path afterwards.

    Returns:
        The status of the database file, with its owner.

    Raises:
        ConfigurationError: There is no database, or another user could change it.
        OSError: The directory cannot be read.
    """
    database = Directory(directory).database
    try:
        status = os.lstat(database)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"there is no {database}: give a daemon's --data directory"
        ) from error
    owner = status.st_uid
    if owner == 0:
        # From the top: once a directory is checked, only root can replace the next one. Otherwise,
        # only the owner's files are at risk.
        for above in reversed(directory.parents):
            _check(above, owner, os.lstat(above), is_above=True)
    _check(directory, owner, os.lstat(directory))
    for path in directory.glob(f"{database.name}*"):
        try:
            beside = os.lstat(path)
        except FileNotFoundError:
            continue  # a daemon that stops removes its files
        if not stat.S_ISREG(beside.st_mode):
            raise ConfigurationError(f"{path} is not a regular file")
        if beside.st_uid != owner:
            raise _changeable(path, owner)
        _check(path, owner, beside)
    return status


def _check(path: Path, owner: int, status: os.stat_result, *, is_above: bool = False) -> None:
    """Check that only root and an owner can write to a file or directory."""
    is_open = bool(status.st_mode & _OTHERS_WRITE)
    if is_above and status.st_mode & stat.S_ISVTX:
        is_open = False  # others cannot rename the owner's directories in it
    if is_open or status.st_uid not in (0, owner) or stat.S_ISLNK(status.st_mode):
        raise _changeable(path, owner)


def _changeable(path: Path, owner: int) -> ConfigurationError:
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = f"user {owner}"
    remedy = "change its owner or mode" + (f", or run this command as {name}" if owner else "")
    return ConfigurationError(f"others than {name} can change {path}: {remedy}")
