"""Checks of the options of `twistd` itself, which fails at some values with a traceback."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from typing import Any

from twisted.python import usage

__all__ = ["check_program", "check_standard_output"]


def check_program(program: Mapping[str, Any]) -> None:
    """Check the options that `twistd` uses after the daemon is assembled.

    Args:
        program: The options of twistd; those of another program are ignored.

    Raises:
        UsageError: A directory does not exist, or a user is unknown.
    """
    if "nodaemon" not in program:
        return
    for option in ("rundir", "chroot"):
        path = program[option]
        if path is not None and not os.path.isdir(path):
            raise usage.UsageError(f"twistd's --{option} {path}: it takes an existing directory")
    uid = program["uid"]
    if uid is not None:
        try:
            pwd.getpwuid(uid)  # twistd needs the user's name for its groups, also with --gid
        except (KeyError, OverflowError) as error:
            raise usage.UsageError(
                f"twistd's --uid {uid}: there is no such user; give the name or number of a user"
            ) from error


def check_standard_output(program: Mapping[str, Any]) -> None:
    """Check that twistd leaves standard input and output to a session.

    Args:
        program: The options of twistd; those of another program are ignored.

    Raises:
        UsageError: twistd would use standard input or output itself.
    """
    if "nodaemon" not in program:
        return
    if not program["nodaemon"]:
        raise usage.UsageError("stdio: needs twistd's --nodaemon")
    if not (program["syslog"] or program["logger"]) and program["logfile"] in (None, "", "-"):
        raise usage.UsageError(
            "stdio: is for the session, and twistd would write its log there: give twistd "
            "--logfile FILE"
        )
