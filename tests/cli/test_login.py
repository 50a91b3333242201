"""Passwords, from files and from a terminal."""

import getpass
import os
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd import ConfigurationError
from chatd.cli.login import Login, ask_password, read_password_file


class LoginTests(SynchronousTestCase):
    def test_secrets(self):
        """A logged login shows neither the key nor the password."""
        shown = repr(Login(key=b"k" * 32, name="alice", password="open sesame"))
        self.assertIn("alice", shown)
        self.assertNotIn("kkk", shown)
        self.assertNotIn("sesame", shown)


class FileTests(SynchronousTestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name) / "password"

    def read(self, data, mode=0o600):
        """Read a file with given bytes."""
        self.path.write_bytes(data)
        self.path.chmod(mode)
        return read_password_file(str(self.path))

    def refuse(self, data, **options):
        """Read a file that the command refuses; return the error, which must not quote the file."""
        error = self.assertRaises(ConfigurationError, self.read, data, **options)
        self.assertNotIn("sesame", str(error))
        self.assertIsNone(error.__cause__)
        return str(error)

    def test_one_line(self):
        """The password is the only line, with or without its line end, and with its spaces."""
        for data in (
            b" open sesame\xc3\xa9",
            b" open sesame\xc3\xa9\n",
            b" open sesame\xc3\xa9\r\n",
        ):
            self.assertEqual(self.read(data), " open sesame\xe9")

    def test_not_one_line(self):
        """The command refuses a file with no line or several lines."""
        for data in (b"", b"\n", b"open\nsesame\n", b"\nsesame", b"sesame\n\n"):
            self.assertIn("must hold one line", self.refuse(data))

    def test_not_utf_8(self):
        """The command refuses a file that is not UTF-8."""
        self.assertIn("not UTF-8 text", self.refuse(b"sesame\xff\n"))

    def test_mark(self):
        """A byte order mark is not part of the password; an error names another encoding."""
        self.assertEqual(self.read(b"\xef\xbb\xbfopen sesame\r\n"), "open sesame")
        self.assertIn("UTF-16", self.refuse("\ufeffopen sesame\n".encode("utf-16-le")))

    def test_others_can_read(self):
        """The command refuses a file that other users can read or write, like a key file."""
        for mode in (0o640, 0o604, 0o620):
            self.assertIn(f"chmod 600 {self.path}", self.refuse(b"sesame\n", mode=mode))

    def test_no_file(self):
        """The command reports a missing file."""
        error = self.assertRaises(ConfigurationError, read_password_file, str(self.path))
        self.assertIn("No such file", str(error))


class AskTests(SynchronousTestCase):
    def ask(self, answer, is_terminal=True):
        """Ask, and answer."""

        def prompt(text):
            self.assertEqual(text, "Password for alice: ")
            if isinstance(answer, BaseException):
                raise answer
            return answer

        self.patch(os, "isatty", lambda descriptor: is_terminal)
        self.patch(getpass, "getpass", prompt)
        return ask_password("alice")

    def test_answer(self):
        """The typed line is the password."""
        self.assertEqual(self.ask(" open sesame "), " open sesame ")

    def test_no_answer(self):
        """Without an answer there is no password."""
        for answer in ("", EOFError()):
            error = self.assertRaises(ConfigurationError, self.ask, answer)
            self.assertEqual(str(error), "no password was given")

    def test_no_terminal(self):
        """Without a terminal, the command asks nobody, and the error names the other option."""
        error = self.assertRaises(ConfigurationError, self.ask, "x", is_terminal=False)
        self.assertIn("--password-file", str(error))
