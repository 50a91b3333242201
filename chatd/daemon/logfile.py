"""The daemon's log file, which can be reopened after `logrotate` or an operator renamed it.

Twisted's log files can be reopened, but `twistd` gives no access to its own. So the daemon makes
the file, and gives its observer to `twistd` as the application's `ILogObserver`. A new file is not
readable for everyone. Everything else is as in `twistd`: the file rotates by itself at 1,000,000
bytes, and at SIGUSR1.
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
    """A log file that can be reopened; if that fails, it goes on in the old file."""

    synchronized = ["reopen"]  # noqa: RUF012  (as Twisted declares it)

    def reopen(self) -> None:
        """Open the file at its path again, and close the old file.

        A new file gets the mode of the old file.

        Raises:
            ConfigurationError: The file cannot be opened; the log goes on in the old file.
        """
        before = self._file
        try:
            if os.path.exists(self.path):
                self.defaultMode = stat.S_IMODE(os.stat(self.path).st_mode)
            elif not before.closed:  # it is closed after a failed rotation
                self.defaultMode = stat.S_IMODE(os.fstat(before.fileno()).st_mode)
            self._openFile()
        except OSError as error:
            if self._file is not before:  # a pipe was opened, which cannot seek to its end
                self._file.close()
                self._file = before
            raise ConfigurationError(_cannot_open(self.path, error)) from error
        before.close()

    def give_to(self, user: int | None, group: int | None) -> None:
        """Give a regular file of root to a user and a group, if this process is root.

        Args:
            user: The user; None to change nothing.
            group: The group; None for the present group.

        Raises:
            OSError: The file cannot be given away.
        """
        status = os.fstat(self._file.fileno())
        is_ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() == 0
        if user is not None and is_ours:
            os.fchown(self._file.fileno(), user, -1 if group is None else group)


synchronize(ReopenableLog)


class LogService(MultiService):
    """Runs a service, and has `twistd` write the log to a file that can be reopened.

    Args:
        reactor: The reactor.
        path: The path of the file.
        owner: The user and the group that the daemon changes to, None for the present one. Root
            gives them a file of its own, so that they can reopen it.
    """

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        path: str,
        owner: tuple[int | None, int | None] = (None, None),
    ) -> None:
        super().__init__()
        self._owner = owner
        self._reactor = reactor
        self._path = os.path.abspath(path)  # a daemon changes its directory
        self._file: ReopenableLog | None = None

    def setServiceParent(self, parent: IServiceCollection) -> None:
        """Join the application, and have `twistd` write its log to the file.

        Raises:
            StartupError: The file cannot be opened.
        """
        if isinstance(parent, Componentized):
            try:
                mode = None if os.path.exists(self._path) else _mode_of_new()
                self._file = ReopenableLog.fromFullPath(self._path, defaultMode=mode)
                self._file.give_to(*self._owner)
            except OSError as error:
                raise StartupError(
                    f"chatd: {_cannot_open(self._path, error)}; give twistd another with "
                    "--logfile FILE"
                ) from error
            # A LogFile has all methods of a file that an observer uses.
            observer = textFileLogObserver(cast(IO[str], self._file))
            parent.setComponent(ILogObserver, observer)
            if not signal.getsignal(signal.SIGUSR1):  # as twistd does for its own file
                signal.signal(signal.SIGUSR1, self._rotate)
        super().setServiceParent(parent)

    def reopen(self) -> None:
        """Reopen the file.

        Raises:
            ConfigurationError: The file cannot be opened; the log goes on in the old file.
        """
        assert self._file is not None, "the service has no application"
        self._file.reopen()

    def _rotate(self, *_: object) -> None:
        assert self._file is not None
        self._reactor.callFromThread(self._file.rotate)


class InheritedLog:
    """A log file that `twist` has opened, and writes to by the same descriptor all the time.

    Args:
        file: The file.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._path = os.path.abspath(file.name)

    def reopen(self) -> None:
        """Open the file at its path again, under the same descriptor.

        Raises:
            ConfigurationError: The file cannot be opened; the log goes on in the old file.
        """
        number = self._file.fileno()
        try:
            mode = stat.S_IMODE(os.fstat(number).st_mode)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK  # do not wait for a pipe
            new = os.open(self._path, flags, mode)
            if not stat.S_ISREG(os.fstat(new).st_mode):
                os.close(new)
                raise OSError(errno.EINVAL, "it is not a regular file")
        except OSError as error:
            raise ConfigurationError(_cannot_open(self._path, error)) from error
        self._file.flush()
        os.dup2(new, number, inheritable=False)
        os.close(new)


def log_of(reactor: Any, program: Mapping[str, Any]) -> LogService | InheritedLog | None:  # noqa: ANN401
    """Return the log file of the daemon's program.

    Args:
        reactor: The reactor.
        program: The options of `twistd` or `twist`.

    Returns:
        The log file; None if the log is not a file, or the operator chose another observer.
    """
    if "logFile" in program:  # an option of twist
        file = program["logFile"]
        return InheritedLog(file) if _is_regular(file) else None
    if "logfile" not in program or program.get("logger") or program.get("syslog"):
        return None
    has_terminal = program.get("nodaemon") or program.get("debug")
    path = program["logfile"] or ("-" if has_terminal else "twistd.log")
    owner = program.get("uid"), program.get("gid")
    return None if path == "-" else LogService(reactor, path, owner)


def _is_regular(file: TextIO) -> bool:
    """Return whether this is a file at a path, neither standard output nor a pipe."""
    is_standard = file in (sys.stdout, sys.stderr)
    return not is_standard and stat.S_ISREG(os.fstat(file.fileno()).st_mode)


def _mode_of_new() -> int:
    """Return the mode of a new log: it has names and addresses, which are not for everyone."""
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o640 & ~mask


def _cannot_open(path: str, error: OSError) -> str:
    return f"cannot open the log file {path}: {why(error)}"
