"""`chatd backup`: copies the data directory of a daemon, which may run meanwhile."""

from __future__ import annotations

import argparse
import os

from chatd.cli.printable import plain
from chatd.cli.status import Status
from chatd.cli.streams import complain, tell
from chatd.config.ownfile import read_regular_file, replace_private_file
from chatd.errors import ConfigurationError

__all__ = ["backup"]

_BANS = "bans.json"


def backup(options: argparse.Namespace) -> Status:
    """Copy the database and the bans of a data directory into another directory.

    Args:
        options: The `directory` of the daemon, and the directory `copy`.

    Raises:
        ConfigurationError: The copy cannot be made; an earlier copy is as it was.
    """
    # Imported here: it would slow the start of the other commands.
    from chatd.storage.sqlite.copying import copy_database, why_not_copied  # noqa: PLC0415

    _take_rights_of(options.directory)
    copy_database(options.directory, options.copy)
    source, target = (os.path.join(path, _BANS) for path in (options.directory, options.copy))
    try:
        _copy_bans(source, target)
    except OSError as error:
        raise ConfigurationError(
            f"cannot copy {source} to {options.copy}: {why_not_copied(error)}"
        ) from error
    tell(plain(f"copied {options.directory} to {options.copy}"))
    return Status.DONE


def _take_rights_of(directory: str) -> None:
    """As root, act as the owner of the data directory from now on.

    SQLite acts on the files that it finds beside a database, whoever put them there.
    """
    try:
        status = os.stat(directory)
    except OSError:
        return  # the copy fails, and says why
    if os.geteuid() == 0 != status.st_uid:
        os.setgroups([])
        os.setgid(status.st_gid)
        os.setuid(status.st_uid)


def _copy_bans(source: str, target: str) -> None:
    """Copy the bans; if there are none, keep those of an earlier copy: they may be lost."""
    try:
        data, _ = read_regular_file(source)
    except FileNotFoundError:
        if os.path.lexists(target):
            complain(f"there is no {source}; {target} stays as it is")
        return
    replace_private_file(target, data)
