"""The file that `twistd` writes its process id to: what it takes for a daemon to start with it."""

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
    """Look at the pid file before `twistd` does, which fails at some with a traceback or for ever.

    A file that no daemon can have left running is removed: one that names this very process, and
    one that is empty. In a container the daemon has the same process id each time it starts, and
    after a power cut a file can have lost what was in it. All else is left to `twistd`, which
    removes the file of a process that is gone, and does not start beside one that runs.

    Args:
        path: The pid file.

    Raises:
        ConfigurationError: It cannot be read or written, or holds no process id.
    """
    path = os.path.abspath(path)
    try:
        if os.path.exists(path):
            _remove_if_stale(path)
        with tempfile.TemporaryFile(dir=os.path.dirname(path)):
            pass  # a file can be made there
    except OSError as error:
        reason = why(error)
        raise ConfigurationError(f"cannot use the pid file {path}: {reason}; {_WAY_OUT}") from error


def _remove_if_stale(path: str) -> None:
    content = read_regular_file(path, _MAX_BYTES)[0].strip()
    if content and not _PROCESS_ID.fullmatch(content):
        raise ConfigurationError(f"there is no process id in the pid file {path}; {_WAY_OUT}")
    if not content or int(content) == os.getpid():
        log.info("removing stale pid file {path}", path=path)
        os.remove(path)
