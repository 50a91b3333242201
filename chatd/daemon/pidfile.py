"""`check_pid_file`: checks the file for `twistd`'s process id before the daemon starts."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from twisted.logger import Logger

from chatd.config.ownfile import read_regular_file, why
from chatd.errors import ConfigurationError

__all__ = ["check_pid_file"]

_PROCESS_ID = re.compile(rb"[1-9][0-9]{0,8}")
_MAX_BYTES = 32
_WAY_OUT = "give twistd another with --pidfile FILE, or none with --pidfile="

log = Logger()


def check_pid_file(path: str | Path) -> None:
    """Check the pid file before `twistd`, which fails at some files with a traceback or for ever.

    Remove a file that cannot belong to a running daemon: a file with this process's own id, or an
    empty file. In a container, the daemon has the same process id at each start; after a power cut,
    a file can have lost its content. `twistd` handles all other files: it removes the file of a
    process that has ended, and does not start beside a running process.

    Args:
        path: The pid file.

    Raises:
        ConfigurationError: The file cannot be read or written, or holds no process id.
    """
    path = os.path.abspath(path)
    try:
        if os.path.exists(path):
            _remove_if_stale(path)
        with tempfile.TemporaryFile(dir=os.path.dirname(path)):
            pass  # only check that the directory is writable
    except OSError as error:
        reason = why(error)
        raise ConfigurationError(f"cannot use the pid file {path}: {reason}; {_WAY_OUT}") from error


def _remove_if_stale(path: str) -> None:
    content = read_regular_file(path, _MAX_BYTES)[0].strip()
    if content and not _PROCESS_ID.fullmatch(content):
        raise ConfigurationError(f"the pid file {path} holds no process id; {_WAY_OUT}")
    if not content or int(content) == os.getpid():
        log.info("removing stale pid file {path}", path=path)
        os.remove(path)
