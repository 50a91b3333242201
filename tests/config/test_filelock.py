"""Tests of `chatd.config.filelock`."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd.config import filelock
from chatd.config.filelock import only_writer_of
from chatd.errors import ConfigurationError


class OnlyWriterTests(SynchronousTestCase):
    """A file has one writer at a time."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.path = self.directory / "users"

    def lock(self, path: Path) -> int:
        """Lock a file or directory as another program, and return the descriptor with the lock."""
        descriptor = os.open(path, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return descriptor

    def at_wait(self, act: object) -> None:
        """Replace the pause between two attempts by an act of another program."""
        self.patch(filelock, "sleep", act)

    def test_second_writer(self) -> None:
        """A second writer is refused, for a file and for one that does not exist yet."""
        for _ in range(2):
            with only_writer_of(str(self.path), wait_s=0):
                second = only_writer_of(str(self.path), wait_s=0)
                with self.assertRaises(ConfigurationError) as raised, second:
                    self.fail("there are two writers")
                self.assertEqual(
                    str(raised.exception), f"another program has locked {self.path} now"
                )
            with only_writer_of(str(self.path), wait_s=0):
                pass  # the lock is released
            self.path.touch()

    def test_wait(self) -> None:
        """A writer waits until the other program has released the lock, for some time."""
        self.path.touch()
        other = self.lock(self.path)
        self.at_wait(lambda _: os.close(other))
        with only_writer_of(str(self.path), wait_s=3600):
            pass

        other = self.lock(self.path)
        self.addCleanup(os.close, other)
        times = iter([0.0, 5.0, 10.0])
        self.patch(filelock, "monotonic", lambda: next(times))
        self.at_wait(lambda _: None)
        with self.assertRaises(ConfigurationError), only_writer_of(str(self.path), wait_s=10):
            self.fail("it is locked")

    def test_replaced_meanwhile(self) -> None:
        """If the other program replaces the file, the new file is locked."""
        self.path.touch()
        other = self.lock(self.path)

        def replace(_: float) -> None:
            (self.directory / "new").touch()
            os.replace(self.directory / "new", self.path)
            os.close(other)

        self.at_wait(replace)
        with only_writer_of(str(self.path), wait_s=3600):
            new = os.open(self.path, os.O_RDONLY)
            self.addCleanup(os.close, new)
            self.assertRaises(BlockingIOError, fcntl.flock, new, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def test_file_that_cannot_be_opened(self) -> None:
        """Another error of the system is raised, and nothing stays open."""
        before = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []
        with self.assertRaises(NotADirectoryError), only_writer_of("/dev/null/users", wait_s=0):
            self.fail("it cannot be opened")

        def fail(_: int) -> None:
            raise OSError(5, "Input/output error")

        self.path.touch()
        self.patch(os, "fstat", fail)
        with self.assertRaises(OSError), only_writer_of(str(self.path), wait_s=0):
            self.fail("it cannot be checked")
        after = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []
        self.assertEqual(len(before), len(after))
