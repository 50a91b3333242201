"""Tests of `chatd.daemon.pidfile`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.daemon.pidfile import check_pid_file
from chatd.errors import ConfigurationError


class PidFileTests(SynchronousTestCase):
    """Checks of the pid file before `twistd` reads it."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.path = self.directory / "twistd.pid"

    def check(self) -> list[str]:
        """Check the file, and return the log."""
        with capturedLogs() as events:
            check_pid_file(self.path)
        return list(map(formatEvent, events))

    def fault_of(self, path: str | Path) -> str:
        """Return the error for an unusable file, in one line that names the remedy."""
        message = str(self.assertRaises(ConfigurationError, check_pid_file, path))
        self.assertEqual(len(message.splitlines()), 1)
        self.assertIn("--pidfile=", message)
        return message

    def test_none(self) -> None:
        """Without a file, the check does nothing, and makes no file."""
        self.assertEqual(self.check(), [])
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_own(self) -> None:
        """A file with this process's own id is stale: the check removes it, and logs that."""
        self.path.write_text(f"{os.getpid()}\n")
        self.assertEqual(self.check(), [f"removing stale pid file {self.path}"])
        self.assertFalse(self.path.exists())

    def test_empty(self) -> None:
        """The daemon removes an empty file, too."""
        self.path.touch()
        self.assertEqual(self.check(), [f"removing stale pid file {self.path}"])
        self.assertFalse(self.path.exists())

    def test_others(self) -> None:
        """The check leaves the file of another process to `twistd`, which knows whether it runs."""
        self.path.write_text(str(os.getppid()))
        self.assertEqual(self.check(), [])
        self.assertTrue(self.path.exists())

    def test_no_process_id(self) -> None:
        """The check does not change a file with other content."""
        for content in ("0", "-1", "007", "1.5", "abc", "9" * 10, "é", "1 2"):
            self.path.write_text(content)
            self.assertIn("no process id", self.fault_of(self.path))
            self.assertEqual(self.path.read_text(), content)

    def test_no_file(self) -> None:
        """The check neither reads nor removes a path that is not a file."""
        self.assertIn("not a regular file", self.fault_of(os.devnull))
        self.assertTrue(os.path.exists(os.devnull))
        self.fault_of(self.directory)
        self.assertTrue(self.directory.exists())

    def test_cannot_be_written(self) -> None:
        """The daemon reports a directory that is not writable, without a traceback."""
        self.assertIn("No such file or directory", self.fault_of(self.directory / "no" / "x"))
        self.assertIn("/proc/1/twistd.pid", self.fault_of("/proc/1/twistd.pid"))
        self.path.touch()
        self.assertIn("Not a directory", self.fault_of(self.path / "x"))
