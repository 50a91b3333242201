"""The daemon's log file, which can be opened anew after `logrotate` or an operator renamed it.

Twisted's log files can be reopened, but `twistd` gives nobody its own. So the daemon makes the file
and hands its observer to `twistd` as the application's `ILogObserver`. All else is as in `twistd`:
the file rotates by itself at 1,000,000 bytes, and at SIGUSR1.
"""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
from collections.abc import Mapping
from typing import IO, Any, TextIO, cast

from twisted.application.service import IServiceCollection, MultiService
from twisted.logger import ILogObserver, textFileLogObserver
from twisted.python.components import Componentized
from twisted.python.logfile import LogFile
from twisted.python.threadable import synchronize

from chatd.config.ownfile import why
from chatd.errors import ConfigurationError, StartupError

__all__ = ["InheritedLog", "LogService", "ReopenableLog", "log_of"]


class ReopenableLog(LogFile):
    """A log file that can be opened anew, and goes on in the old one where it cannot."""

    synchronized = ["reopen"]  # noqa: RUF012  (as Twisted declares it)

    def reopen(self) -> None:
        """Open the file anew at its path, and close the one that was open until now.

        A file that is made then has the mode of the one before.

        Raises:
            ConfigurationError: It cannot be opened; what is logged goes on to the old one.
        """
        before = self._file
        try:
            if os.path.exists(self.path):
                self.defaultMode = stat.S_IMODE(os.stat(self.path).st_mode)
            elif not before.closed:  # as after a rotation that failed
                self.defaultMode = stat.S_IMODE(os.fstat(before.fileno()).st_mode)
            self._openFile()
        except OSError as error:
            if self._file is not before:  # a pipe was opened, which has no end to go on from
                self._file.close()
                self._file = before
            raise ConfigurationError(_cannot_open(self.path, error)) from error
        before.close()


synchronize(ReopenableLog)


class LogService(MultiService):
    """Runs a service whose log `twistd` writes to a file that can be opened anew.

    Args:
        reactor: The reactor.
        path: The path of the file.
    """

    def __init__(self, reactor: Any, path: str) -> None:  # noqa: ANN401
        super().__init__()
        self._reactor = reactor
        self._path = os.path.abspath(path)  # a daemon changes its directory
        self._file: ReopenableLog | None = None

    def setServiceParent(self, parent: IServiceCollection) -> None:
        """Join the application, and have `twistd` write what it logs to the file.

        Raises:
            StartupError: The file cannot be opened.
        """
        if isinstance(parent, Componentized):
            try:
                self._file = ReopenableLog.fromFullPath(self._path)
            except OSError as error:
                raise StartupError(
                    f"chatd: {_cannot_open(self._path, error)}; give twistd another with "
                    "--logfile FILE"
                ) from error
            # A LogFile has all of a file that an observer uses.
            observer = textFileLogObserver(cast(IO[str], self._file))
            parent.setComponent(ILogObserver, observer)
            if not signal.getsignal(signal.SIGUSR1):  # as twistd does for a file of its own
                signal.signal(signal.SIGUSR1, self._rotate)
        super().setServiceParent(parent)

    def reopen(self) -> None:
        """Open the file anew.

        Raises:
            ConfigurationError: It cannot be opened; what is logged goes on to the old one.
        """
        assert self._file is not None, "the service has no application"
        self._file.reopen()

    def _rotate(self, *_: object) -> None:
        assert self._file is not None
        self._reactor.callFromThread(self._file.rotate)


class InheritedLog:
    """A log file that `twist` has opened, and goes on writing to under the same descriptor.

    Args:
        file: The file.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._path = os.path.abspath(file.name)

    def reopen(self) -> None:
        """Open the file anew at its path, under the descriptor that it has.

        Raises:
            ConfigurationError: It cannot be opened; what is logged goes on to the old one.
        """
        number = self._file.fileno()
        try:
            mode = stat.S_IMODE(os.fstat(number).st_mode)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK  # wait for no pipe
            new = os.open(self._path, flags, mode)
            if not stat.S_ISREG(os.fstat(new).st_mode):
                os.close(new)
                raise OSError(errno.EINVAL, "it is no regular file")
        except OSError as error:
            raise ConfigurationError(_cannot_open(self._path, error)) from error
        self._file.flush()
        os.dup2(new, number, inheritable=False)
        os.close(new)


def log_of(reactor: Any, program: Mapping[str, Any]) -> LogService | InheritedLog | None:  # noqa: ANN401
    """Return the log of the daemon's program; None where it is no file, or of an operator's make.

    Args:
        reactor: The reactor.
        program: The options of `twistd` or `twist`.
    """
    if "logFile" in program:  # of twist
        file = program["logFile"]
        return InheritedLog(file) if _is_regular(file) else None
    if "logfile" not in program or program.get("logger") or program.get("syslog"):
        return None
    has_terminal = program.get("nodaemon") or program.get("debug")
    path = program["logfile"] or ("-" if has_terminal else "twistd.log")
    return None if path == "-" else LogService(reactor, path)


def _is_regular(file: TextIO) -> bool:
    """Whether this is a file at a path, and not the standard output or a pipe."""
    is_standard = file in (sys.stdout, sys.stderr)
    return not is_standard and stat.S_ISREG(os.fstat(file.fileno()).st_mode)


def _cannot_open(path: str, error: OSError) -> str:
    return f"cannot open the log file {path}: {why(error)}"
