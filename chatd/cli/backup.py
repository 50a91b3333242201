"""`chatd backup`: copies the data directory of a daemon, which may run meanwhile."""

from __future__ import annotations

import argparse
import os
from contextlib import suppress

from chatd.cli.printable import plain
from chatd.cli.status import Status
from chatd.cli.streams import tell
from chatd.config.ownfile import read_regular_file, replace_private_file, why
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
    from chatd.storage.sqlite.copying import copy_database  # noqa: PLC0415

    copy_database(options.directory, options.copy)
    _copy_bans(options.directory, options.copy)
    tell(plain(f"copied {options.directory} to {options.copy}"))
    return Status.DONE


def _copy_bans(directory: str, copy: str) -> None:
    """Copy the bans; if there are none, the copy has none either."""
    source, target = os.path.join(directory, _BANS), os.path.join(copy, _BANS)
    try:
        try:
            data, _ = read_regular_file(source)
        except FileNotFoundError:
            with suppress(FileNotFoundError):
                os.unlink(target)
            return
        replace_private_file(target, data)
    except OSError as error:
        raise ConfigurationError(f"cannot copy {source} to {copy}: {why(error)}") from error
