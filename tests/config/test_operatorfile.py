"""Tests of `chatd.config.operatorfile`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd.config.keyfile import load_key
from chatd.config.operatorfile import load_operators
from chatd.errors import ConfigurationError


class LoadTests(SynchronousTestCase):
    """Operator files: a name on each line."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name) / "operators"

    def write(self, data: bytes, mode: int = 0o644) -> None:
        self.path.write_bytes(data)
        self.path.chmod(mode)

    def refusal(self) -> str:
        with self.assertRaises(ConfigurationError) as raised:
            load_operators(self.path)
        self.assertIn(str(self.path), str(raised.exception))
        return str(raised.exception)

    def test_names(self) -> None:
        """Blank lines and comments are ignored, with any line ending."""
        self.write("# the night shift\n\nalice\n  Bob \r\nzo\u00eb".encode())
        self.assertEqual(load_operators(self.path), ("alice", "Bob", "zo\u00eb"))

    def test_empty(self) -> None:
        """A file without names has no operators."""
        self.write(b"")
        self.assertEqual(load_operators(self.path), ())

    def test_bad_name(self) -> None:
        """The error for a line that is not a name has its number."""
        self.write(b"alice\n#\nno name\n")
        self.assertIn("line 3: a name has", self.refusal())

    def test_written_by_others(self) -> None:
        """The loader refuses a file that other users can write, not a file that they can read."""
        for mode in (0o622, 0o664, 0o602):
            self.write(b"alice", mode)
            self.assertIn("others can write", self.refusal())
        for mode in (0o644, 0o600, 0o444):
            self.write(b"alice", mode)
            self.assertEqual(load_operators(self.path), ("alice",))

    def test_cannot_be_read(self) -> None:
        """The loader refuses a file that is missing, not regular or no text, in one line."""
        self.assertIn("No such file", self.refusal())
        self.write(b"\xff\xfe")
        self.assertIn("not UTF-8 text", self.refusal())
        self.path.unlink()
        self.path.mkdir()
        self.assertIn("directory", self.refusal())

    def test_pipe(self) -> None:
        """The loader refuses a pipe without waiting, whether it has a writer or not."""
        os.mkfifo(self.path, 0o600)
        self.assertIn("it is not a regular file", self.refusal())
        writer = os.open(self.path, os.O_RDWR)
        self.addCleanup(os.close, writer)
        self.assertIn("it is not a regular file", self.refusal())

    def test_mark(self) -> None:
        """The byte order mark that some editors write is no part of a name."""
        self.write(b"\xef\xbb\xbfalice\n")
        self.assertEqual(load_operators(self.path), ("alice",))
        self.write("\ufeffalice\n".encode("utf-16-be"))
        self.assertIn("UTF-16", self.refusal())

    def test_nothing_is_left_open(self) -> None:
        """The loader closes a file that it refuses, at each attempt."""
        self.path.mkdir()
        before = os.dup(0)
        os.close(before)
        for _ in range(3):
            self.refusal()
            self.assertRaises(ConfigurationError, load_key, self.path)
        after = os.dup(0)
        os.close(after)
        self.assertEqual(after, before)
