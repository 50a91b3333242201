"""Tests of `chatd.daemon.logfile`."""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.application.service import (
    Application,
    IServiceCollection,
    MultiService,
    Service,
)
from twisted.logger import ILogObserver
from twisted.trial.unittest import SynchronousTestCase

from chatd.daemon.logfile import InheritedLog, LogService, ReopenableLog, log_of
from chatd.errors import ConfigurationError, StartupError


class Calls:
    """A reactor with only `callFromThread`."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], object]] = []

    def callFromThread(self, function: Callable[[], object]) -> None:
        self.calls.append(function)


class LogFileTests(SynchronousTestCase):
    """A directory for log files."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.path = self.directory / "chatd.log"
        self.old = self.directory / "old.log"

    def mode_of(self, path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)


class ReopenableLogTests(LogFileTests):
    """A log file of `twistd` that can be reopened."""

    def setUp(self) -> None:
        super().setUp()
        self.log = ReopenableLog.fromFullPath(str(self.path))
        self.addCleanup(self.log.close)
        self.log.write("before\n")

    def test_renamed(self) -> None:
        """After a rename, the log goes on in a new file of the same mode."""
        self.path.chmod(0o640)
        self.path.rename(self.old)
        self.addCleanup(os.umask, os.umask(0o077))
        self.log.reopen()
        self.log.write("after\n")
        self.assertEqual(self.old.read_text(), "before\n")
        self.assertEqual(self.path.read_text(), "after\n")
        self.assertEqual(self.mode_of(self.path), 0o640)

    def test_made_by_another(self) -> None:
        """If the renaming program made a new file, the log uses it."""
        self.path.rename(self.old)
        self.path.write_text("made\n")
        self.path.chmod(0o604)
        self.log.reopen()
        self.log.write("after\n")
        self.assertEqual(self.path.read_text(), "made\nafter\n")
        self.assertEqual(self.mode_of(self.path), 0o604)

    def test_not_renamed(self) -> None:
        """Without a rename, the log goes on in the same file."""
        self.log.reopen()
        self.log.write("after\n")
        self.assertEqual(self.path.read_text(), "before\nafter\n")

    def test_cannot_be_opened(self) -> None:
        """If the new file cannot be opened, the log goes on in the old file."""
        self.path.rename(self.old)
        self.path.mkdir()
        error = self.assertRaises(ConfigurationError, self.log.reopen)
        self.assertEqual(str(error), f"cannot open the log file {self.path}: Is a directory")
        self.log.write("after\n")
        self.assertEqual(self.old.read_text(), "before\nafter\n")

    def test_pipe(self) -> None:
        """The daemon refuses a pipe in place of the file."""
        self.path.rename(self.old)
        os.mkfifo(self.path)
        self.assertRaises(ConfigurationError, self.log.reopen)
        self.log.write("after\n")
        self.assertEqual(self.old.read_text(), "before\nafter\n")

    def test_rotates_by_itself(self) -> None:
        """The reopened file still rotates by its size."""
        self.log.rotateLength = 10
        self.path.rename(self.old)
        self.log.reopen()
        for line in ("first\n", "second\n", "third\n"):
            self.log.write(line)
        self.assertEqual((self.directory / "chatd.log.1").read_text(), "first\nsecond\n")
        self.assertEqual(self.path.read_text(), "third\n")

    def test_after_a_rotation_that_failed(self) -> None:
        """If Twisted closed the file and failed to open another, it can be reopened later."""

        def fail() -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        self.patch(self.log, "_openFile", fail)
        self.assertRaises(OSError, self.log.rotate)
        self.assertRaises(ConfigurationError, self.log.reopen)
        del self.log._openFile
        self.log.reopen()
        self.log.write("after\n")
        self.assertEqual(self.path.read_text(), "after\n")

    def test_closes_the_old(self) -> None:
        """The log closes its old descriptor."""
        before = len(os.listdir("/dev/fd"))
        for _ in range(3):
            self.log.reopen()
        self.assertEqual(len(os.listdir("/dev/fd")), before)


class InheritedLogTests(LogFileTests):
    """A log file of `twist`."""

    def setUp(self) -> None:
        super().setUp()
        self.file = open(self.path, "a")  # noqa: SIM115
        self.addCleanup(self.file.close)
        self.log = InheritedLog(self.file)
        self.file.write("before\n")

    def write(self) -> None:
        self.file.write("after\n")
        self.file.flush()

    def test_renamed(self) -> None:
        """After a rename, the log goes on in a new file of the same mode."""
        self.path.chmod(0o640)
        self.path.rename(self.old)
        self.log.reopen()
        self.write()
        self.assertEqual(self.old.read_text(), "before\n")
        self.assertEqual(self.path.read_text(), "after\n")
        self.assertEqual(self.mode_of(self.path), 0o640)
        self.assertFalse(os.get_inheritable(self.file.fileno()))

    def test_cannot_be_opened(self) -> None:
        """If the new file cannot be opened, the log goes on in the old file."""
        self.path.rename(self.old)
        self.path.mkdir()
        error = self.assertRaises(ConfigurationError, self.log.reopen)
        self.assertEqual(str(error), f"cannot open the log file {self.path}: Is a directory")
        self.write()
        self.assertEqual(self.old.read_text(), "before\nafter\n")

    def test_pipe(self) -> None:
        """The daemon refuses a pipe in place of the file, with or without a reader, at once."""
        os.rename(self.path, f"{self.path}.1")
        os.mkfifo(self.path)
        self.assertRaises(ConfigurationError, self.log.reopen)
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.assertRaises(ConfigurationError, self.log.reopen)


class LogServiceTests(LogFileTests):
    """The service that gives `twistd` the file."""

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.getsignal(signal.SIGUSR1))
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        self.reactor = Calls()
        self.service = LogService(self.reactor, str(self.path))

    def join(self) -> Any:
        """Join an application, and return its log observer."""
        application = Application("chatd")
        self.service.setServiceParent(application)
        self.assertEqual(list(IServiceCollection(application)), [self.service])
        self.assertIsNotNone(self.service._file)
        self.addCleanup(self.service._file.close)
        return application.getComponent(ILogObserver)

    def log(self, observer: Callable[..., None], text: str) -> None:
        observer({"log_format": text, "log_time": 0.0})

    def test_log(self) -> None:
        """The application logs to the file, and after `reopen` to the new file."""
        observer = self.join()
        self.log(observer, "before")
        self.path.rename(self.old)
        self.service.reopen()
        self.log(observer, "after")
        self.assertRegex(self.old.read_text(), r"before\n$")
        self.assertRegex(self.path.read_text(), r"^[^\n]*after\n$")

    def test_mode(self) -> None:
        """Only the owner and the group may read a new file, if the umask allows; old modes stay."""
        for umask, mode in ((0o022, 0o640), (0o077, 0o600), (0, 0o640)):
            self.addCleanup(os.umask, os.umask(umask))
            self.path.unlink(missing_ok=True)
            self.service = LogService(self.reactor, str(self.path))
            self.join()
            self.assertEqual(self.mode_of(self.path), mode)
            log: Any = self.service._file
            for renew in (log.rotate, self.service.reopen):
                renew()
                self.assertEqual(self.mode_of(self.path), mode)
        self.path.chmod(0o604)
        self.service = LogService(self.reactor, str(self.path))
        self.join()
        self.assertEqual(self.mode_of(self.path), 0o604)

    def test_owner(self) -> None:
        """Root gives its log file to the user that the daemon changes to, and no other file."""
        calls: list[tuple[int, int]] = []
        self.patch(os, "fchown", lambda _, user, group: calls.append((user, group)))
        for euid, owner, given in (
            (0, (1234, None), [(1234, -1)] if os.getuid() == 0 else []),
            (0, (1234, 99), [(1234, 99)] if os.getuid() == 0 else []),
            (0, (None, 99), []),
            (1234, (1234, None), []),
        ):
            self.patch(os, "geteuid", lambda euid=euid: euid)
            calls.clear()
            self.service = LogService(self.reactor, str(self.path), owner)
            self.join()
            self.assertEqual(calls, given)

    def test_another_parent(self) -> None:
        """In a parent that is not an application, it opens no file."""
        parent = MultiService()
        self.service.setServiceParent(parent)
        self.assertEqual(list(parent), [self.service])
        self.assertFalse(self.path.exists())

    def test_within(self) -> None:
        """Its child services start and stop with it."""
        within = Service()
        within.setServiceParent(self.service)
        self.service.startService()
        self.assertTrue(within.running)
        self.service.stopService()
        self.assertFalse(within.running)

    def test_cannot_be_opened(self) -> None:
        """If the file cannot be opened, the start fails in one line."""
        self.path.mkdir()
        error = self.assertRaises(StartupError, self.join)
        self.assertEqual(
            error.code,
            f"chatd: cannot open the log file {self.path}: Is a directory; give twistd another "
            "with --logfile FILE",
        )

    def test_rotates_at_a_signal(self) -> None:
        """SIGUSR1 rotates it in the reactor's turn, like a log of `twistd`."""
        self.log(self.join(), "before")
        os.kill(os.getpid(), signal.SIGUSR1)
        (rotate,) = self.reactor.calls
        rotate()
        self.assertIn("before", (self.directory / "chatd.log.1").read_text())
        self.assertEqual(self.path.read_text(), "")

    def test_a_signal_of_others(self) -> None:
        """The daemon does not change an existing handler of SIGUSR1."""
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        self.join()
        self.assertIs(signal.getsignal(signal.SIGUSR1), signal.SIG_IGN)

    def test_another_directory(self) -> None:
        """The path stays the same when the daemon changes its directory."""
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.directory)
        self.service = LogService(self.reactor, "relative.log")
        self.join()
        os.chdir("/")
        (self.directory / "relative.log").unlink()
        self.service.reopen()
        self.assertTrue((self.directory / "relative.log").exists())


class LogOfTests(LogFileTests):
    """`log_of` uses the options of the program."""

    def path_for(self, **given: object) -> str | None:
        """Return the path of the log of `twistd` with these options."""
        usual = {"logfile": None, "logger": None, "syslog": 0, "nodaemon": 0, "debug": False}
        log = log_of(Calls(), {**usual, **given})
        if log is None:
            return None
        self.assertIsInstance(log, LogService)
        return str(log._path)

    def test_twistd(self) -> None:
        """It is twistd's file: a default file only in the background."""
        given = str(self.path)
        self.assertEqual(self.path_for(logfile=given), given)
        self.assertEqual(self.path_for(logfile=given, nodaemon=1), given)
        self.assertEqual(self.path_for(), os.path.abspath("twistd.log"))

    def test_no_file(self) -> None:
        """Standard output, the system's log and an operator's own observer are no files."""
        given = str(self.path)
        for options in (
            {"logfile": "-"},
            {"nodaemon": 1},
            {"debug": True},
            {"nodaemon": 1, "logfile": "-"},
            {"syslog": 1, "logfile": given},
            {"logger": "some.observer", "logfile": given},
        ):
            self.assertIsNone(self.path_for(**options))

    def test_no_program(self) -> None:
        """Without a program's options, there is no log."""
        self.assertIsNone(log_of(Calls(), {}))

    def test_twist(self) -> None:
        """It is twist's file, unless that is its output or a pipe."""
        self.assertIsNone(log_of(Calls(), {"logFile": sys.stdout}))
        with open(self.path, "a") as file:
            log = log_of(Calls(), {"logFile": file})
            self.assertIsInstance(log, InheritedLog)
            self.assertEqual(log._path, str(self.path))
        with open(os.devnull, "a") as device:
            self.assertIsNone(log_of(Calls(), {"logFile": device}))
