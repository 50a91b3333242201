"""`chatd passwd`, from its arguments to its exit status."""

import getpass
import io
import os
import signal
import stat
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from twisted.trial.unittest import SynchronousTestCase

from chatd.cli import passwd as passwd_module
from chatd.cli.leaving import Signalled
from chatd.cli.main import main
from chatd.cli.status import Status
from chatd.config.passwordedit import set_password
from chatd.config.passwordfile import load_passwords
from tests.fakes.passwords import CHEAP

SECRET = "correct horse"


class PasswdCase(SynchronousTestCase):
    """Runs the command in this process.

    Attributes:
        directory: The test's own directory.
        path: The password file, which is missing at first.
    """

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.path = self.directory / "users"

    def passwd(self, name="alice", path=None):
        """Set a password; return the status, the output and the errors."""
        return self.run_with(str(path or self.path), name)

    def run_with(self, *arguments):
        """Run the command; return its status, its output and its errors."""
        output, complaints = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", complaints)
        status = main(["passwd", *arguments])
        return status, output.getvalue(), complaints.getvalue()

    def redirect(self, descriptor, source):
        """Replace a standard stream until the test ends."""
        saved = os.dup(descriptor)
        self.addCleanup(os.close, saved)
        self.addCleanup(os.dup2, saved, descriptor)
        os.dup2(source, descriptor)
        os.close(source)

    def assert_refused(self, result, why):
        """Check for one line, status 2, and no trace of the password."""
        status, output, complaint = result
        self.assertEqual((status, output), (Status.USAGE, ""))
        self.assertRegex(complaint, rf"\Achatd: .*{why}.*\n\Z")
        self.assertNotIn(SECRET, complaint)


class PipeTests(PasswdCase):
    def pipe(self, data, name="alice", path=None):
        """Run the command with input from a pipe."""
        reader, writer = os.pipe()
        os.write(writer, data)
        os.close(writer)
        self.redirect(0, reader)
        return self.passwd(name, path)

    def test_new_file(self):
        """The command makes a new file, and says so."""
        status, output, complaint = self.pipe(SECRET.encode() + b"\n")
        self.assertEqual((status, complaint), (Status.DONE, ""))
        self.assertEqual(
            output, f"added alice to {self.path}; give it to the server with --password-file\n"
        )
        self.assertEqual(load_passwords(self.path).verify("alice", SECRET), "alice")
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_existing_file(self):
        """An account is added, or its password is changed, and the output says which."""
        self.pipe(b"first")
        _, output, _ = self.pipe(b"second\r\n", "bob")
        self.assertEqual(output, f"added bob to {self.path}\n")
        _, output, _ = self.pipe("p\u00e4ss".encode(), "ALICE")
        self.assertEqual(output, f"changed the password of alice in {self.path}\n")
        loaded = load_passwords(self.path)
        self.assertEqual(loaded.verify("alice", "p\u00e4ss"), "alice")
        self.assertEqual(loaded.verify("bob", "second"), "bob")

    def test_bad_password(self):
        """The command refuses what is no password: nothing, too much, several lines, no text."""
        for data, why in (
            (b"", "empty"),
            (b"\n", "empty"),
            (b"\n" + SECRET.encode(), "must hold one line"),
            (SECRET.encode() + b"\nmore\n", "must hold one line"),
            (SECRET.encode() + b"\n\n", "must hold one line"),
            (SECRET.encode() * 200, "up to 1024 bytes"),
            (SECRET.encode() + b"\xff", "UTF-8"),
            (SECRET.encode() + b"\0", "control characters"),
            (SECRET.encode() + b"\t", "control characters"),
            (SECRET.encode() + b"\r\r\n", "control characters"),
            ((SECRET + "\x9b").encode(), "control characters"),
        ):
            self.assert_refused(self.pipe(data), why)
        self.assertFalse(self.path.exists())

    def test_mark(self):
        """The password has no byte order mark; the command refuses other encodings."""
        self.pipe(b"\xef\xbb\xbf" + SECRET.encode() + b"\r\n")
        self.assertEqual(load_passwords(self.path).verify("alice", SECRET), "alice")
        data = f"\ufeff{SECRET}\n".encode("utf-16-le")
        self.assert_refused(self.pipe(data), "standard input is UTF-16, not UTF-8 text")

    def test_bad_name(self):
        """The command refuses a name that no member can have."""
        self.assert_refused(self.pipe(b"x", "two words"), "1 to 32 characters")
        self.assert_refused(self.pipe(b"x", "#alice"), "cannot begin with #")
        self.assert_refused(self.pipe(b"x", "guest-1"), "cannot begin with guest-")
        self.assertFalse(self.path.exists())

    def test_bad_file(self):
        """An error names an unusable file, before a password is read."""
        self.path.write_text("")
        self.path.chmod(0o644)
        self.assert_refused(self.pipe(b"x"), f"chmod 600 {self.path}")
        self.path.chmod(0o600)
        self.path.write_text(f"alice:{SECRET}\n")
        advice = "delete the line, and make an account with"
        self.assert_refused(self.pipe(b"x"), f"{self.path}, line 1: .*{advice}")
        nowhere = self.directory / "no" / "where"
        self.assert_refused(self.pipe(b"x", path=nowhere), f"cannot write .*{nowhere}: No such")

    def test_closed_input(self):
        """Without input there is no password."""
        self.redirect(0, os.open(os.devnull, os.O_RDONLY))
        self.assert_refused(self.passwd(), "empty")
        self.redirect(0, os.open(self.directory, os.O_RDONLY))
        self.assert_refused(self.passwd(), "cannot read a password: Is a directory")


class TerminalTests(PasswdCase):
    def type(self, *answers, tty=(0, 1), name="alice"):
        """Run the command at a terminal, and answer or interrupt each prompt."""
        self.prompts: list[Any] = []
        waiting = list(answers)

        def ask(prompt):
            self.prompts.append(prompt)
            answer = waiting.pop(0)
            if isinstance(answer, str):
                return answer
            raise answer

        self.patch(getpass, "getpass", ask)
        self.patch(os, "isatty", lambda descriptor: descriptor in tty)
        result = self.passwd(name)
        self.assertEqual(waiting, [])
        return result

    def test_twice(self):
        """The command asks for the password twice."""
        status, output, complaint = self.type(SECRET, SECRET)
        self.assertEqual((status, complaint), (Status.DONE, ""))
        self.assertIn("added alice", output)
        self.assertEqual(self.prompts, ["Password for alice: ", "Repeat the password: "])
        self.assertEqual(load_passwords(self.path).verify("alice", SECRET), "alice")

    def test_mismatch(self):
        """The command refuses two different passwords."""
        self.assert_refused(self.type(SECRET, SECRET + "x"), "differ; nothing was changed")
        self.assertFalse(self.path.exists())

    def test_empty(self):
        """The command refuses an empty password at once."""
        self.assert_refused(self.type(""), "empty")

    def test_bad_name(self):
        """The command reports a bad name before asking for a password."""
        self.assert_refused(self.type(name="two words"), "1 to 32 characters")

    def test_end(self):
        """Ctrl+D changes nothing, and an error says so."""
        self.assert_refused(self.type(EOFError()), "no password was given; nothing was changed")
        self.assert_refused(self.type(SECRET, EOFError()), "no password was given")
        self.assertFalse(self.path.exists())

    def test_interrupted(self):
        """Ctrl+C changes nothing, and ends the prompt's line if standard error is a terminal."""
        interrupted = Signalled(signal.SIGINT)
        self.assertEqual(self.type(interrupted), (Status.INTERRUPTED, "", ""))
        result = self.type(SECRET, interrupted, tty=(0, 1, 2))
        self.assertEqual(result, (Status.INTERRUPTED, "", "\n"))
        self.assertFalse(self.path.exists())


class AccountsTests(PasswdCase):
    """Deleting and listing accounts."""

    def setUp(self):
        super().setUp()
        for name in ("bob", "alice"):
            set_password(self.path, name, SECRET, hasher=CHEAP)

    def test_list(self):
        """The accounts are listed in order, a name a line."""
        result = self.run_with("--list", str(self.path))
        self.assertEqual(result, (Status.DONE, "alice\nbob\n", ""))

    def test_list_nobody(self):
        """A file without accounts gives no line."""
        self.path.write_text("# nobody\n")
        self.assertEqual(self.run_with("--list", str(self.path)), (Status.DONE, "", ""))

    def test_list_unwritable(self):
        """If the list cannot be written, the status says so."""
        self.patch(passwd_module, "tell", lambda _: False)
        self.assertEqual(self.run_with("--list", str(self.path))[0], Status.LOST)

    def test_delete(self):
        """An account is deleted, and the output says so."""
        result = self.run_with("--delete", str(self.path), "ALICE")
        self.assertEqual(result, (Status.DONE, f"deleted alice from {self.path}\n", ""))
        self.assertEqual(list(load_passwords(self.path)), ["bob"])

    def test_option_between_arguments(self):
        """The options may stand anywhere among the arguments."""
        path = str(self.path)
        self.assertEqual(self.run_with(path, "--list"), (Status.DONE, "alice\nbob\n", ""))
        done = (Status.DONE, f"deleted alice from {path}\n", "")
        self.assertEqual(self.run_with(path, "--delete", "alice"), done)

    def test_delete_last(self):
        """The output says that a running server ignores a file without accounts."""
        self.run_with("--delete", str(self.path), "alice")
        _, output, _ = self.run_with("--delete", str(self.path), "bob")
        self.assertIn("no account is left, and a running server keeps those that it has", output)

    def test_mistakes(self):
        """A missing account and a missing file give one line each."""
        self.assert_refused(self.run_with("--delete", str(self.path), "carol"), "no account carol")
        nowhere = str(self.directory / "nowhere")
        for arguments in (("--delete", nowhere, "alice"), ("--list", nowhere)):
            self.assert_refused(self.run_with(*arguments), "cannot read .*nowhere: No such file")

    def test_wrong_arguments(self):
        """A name is needed, except for the list."""
        for arguments, why in (
            ([str(self.path)], "give a NAME"),
            (["--delete", str(self.path)], "give a NAME"),
            (["--list", str(self.path), "alice"], "--list takes no NAME"),
            ([str(self.path), "--lst"], r"unrecognized option --lst \(did you mean --list\?\)"),
            (["--del", str(self.path), "alice"], r"unrecognized option --del \(.* --delete\?\)"),
        ):
            complaints = io.StringIO()
            self.patch(sys, "stderr", complaints)
            with pytest.raises(SystemExit) as caught:
                main(["passwd", *arguments])
            self.assertEqual(caught.value.code, Status.USAGE)
            self.assertRegex(complaints.getvalue(), rf"\Achatd passwd: {why}; see .*\n\Z")
