"""`chatd backup`: copies the data directory of a daemon, which may run meanwhile."""

from __future__ import annotations

import argparse
import os
import pwd
from collections.abc import Mapping
from pathlib import Path

from chatd.cli.printable import plain
from chatd.cli.status import Status
from chatd.cli.streams import complain, tell
from chatd.config.ownfile import read_regular_file
from chatd.errors import ConfigurationError

__all__ = ["backup", "take_rights"]

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
    from chatd.storage.sqlite.ownership import check_owner  # noqa: PLC0415

    directory = options.directory
    is_root = os.geteuid() == 0
    if is_root:
        directory = os.path.realpath(directory)  # a link could be another one later
    source, target = (os.path.join(path, _BANS) for path in (directory, options.copy))
    try:
        if is_root:
            take_rights(check_owner(Path(directory)))
        bans = _read_bans(source)
    except OSError as error:
        raise ConfigurationError(
            f"cannot copy {source} to {options.copy}: {why_not_copied(error)}"
        ) from error
    copy_database(directory, options.copy, beside=bans)
    if not bans and os.path.lexists(target):  # they may be lost
        complain(f"there is no {source}; {target} stays as it is")
    tell(plain(f"copied {options.directory} to {options.copy}"))
    return Status.DONE


def take_rights(owner: os.stat_result) -> None:
    """Act as the owner of a file from now on; do nothing if that is root."""
    if owner.st_uid == 0:
        return
    try:
        group = pwd.getpwuid(owner.st_uid).pw_gid
    except KeyError:  # as in a container
        group = owner.st_gid
    os.setgroups([])
    os.setgid(group)
    os.setuid(owner.st_uid)


def _read_bans(source: str) -> Mapping[str, bytes]:
    """Return the bans by the name of their file; nothing if there are none."""
    try:
        data, _ = read_regular_file(source)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {_BANS: data}
