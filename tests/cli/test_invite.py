"""`chatd invite`, from its arguments to its exit status."""

import errno
import io
import os
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from chatd import write_key_file
from chatd.cli.invite import invite_link
from chatd.cli.main import main
from chatd.cli.status import Status
from chatd.errors import ConfigurationError

KEY = bytes(range(32))
PAGE = "https://chat.example.org/"


class TerminalText(io.StringIO):
    """An output that is a terminal."""

    def isatty(self):
        return True


class FullTerminal(TerminalText):
    """A terminal that takes some characters alone."""

    def __init__(self, room):
        super().__init__()
        self.room = room
        self.file = tempfile.TemporaryFile()  # noqa: SIM115  (the program writes to it at its end)

    def fileno(self):
        return self.file.fileno()

    def write(self, text):
        if self.tell() + len(text) > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(text)


class LinkTests(SynchronousTestCase):
    def test_parts(self):
        """The key and the room follow the #, each only if it is given."""
        text = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
        self.assertEqual(invite_link(PAGE), PAGE)
        self.assertEqual(invite_link(PAGE, KEY), f"{PAGE}#key={text}")
        self.assertEqual(invite_link(PAGE, KEY, "lobby"), f"{PAGE}#key={text}&room=lobby")

    def test_room_is_encoded(self):
        """A room's name is percent-encoded, so that the page reads it as it is."""
        self.assertEqual(
            invite_link(PAGE, room="a&b=c+ü/#"), f"{PAGE}#room=a%26b%3Dc%2B%C3%BC%2F%23"
        )

    def test_path(self):
        """An address without a path gets one; a path stays."""
        self.assertEqual(invite_link("http://localhost:8080"), "http://localhost:8080/")
        self.assertEqual(invite_link(f"{PAGE}chat/"), f"{PAGE}chat/")

    def test_wrong_address(self):
        """What is no address of a page is refused in one line."""
        for url in (
            "",
            "chat.example.org",
            "wss://chat.example.org/ws",
            "https://",
            "https://[::/",
            "https://a:99999/",
            "https://a/?x",
            "https://a/#key=x",
            "https://a@b/",
            "https://a b/",
            "https://a/\n",
            "https://a\\b/",
        ):
            with self.subTest(url=url), self.assertRaises(ConfigurationError) as caught:
                invite_link(url)
            self.assertIn("such as https://", str(caught.exception))

    def test_wrong_room(self):
        """A name that no room can have is refused."""
        for room in ("", "a b", "x" * 65):
            with self.subTest(room=room), self.assertRaises(ConfigurationError):
                invite_link(PAGE, room=room)


class InviteTests(SynchronousTestCase):
    """The command itself."""

    def invite(self, *arguments, output=None):
        """Run the command; return its status, its output and its errors."""
        output, complaints = output or io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", complaints)
        status = main(["invite", *arguments])
        return status, output.getvalue(), complaints.getvalue()

    def test_key_file(self):
        """The link has the key of the key file; into a pipe goes the link alone."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = Path(directory.name) / "key"
        link = invite_link(PAGE, write_key_file(path), "lobby")
        done = self.invite(PAGE, "--key-file", str(path), "--room", "lobby")
        self.assertEqual(done, (Status.DONE, f"{link}\n", ""))

    def test_code(self):
        """At a terminal, a QR code follows the link."""
        status, output, complaint = self.invite(PAGE, output=TerminalText())
        link, _, code = output.partition("\n")
        self.assertEqual((status, link, complaint), (Status.DONE, PAGE, ""))
        self.assertGreater(len(code.splitlines()), 10)
        self.assertIn("\u2580", code)

    def test_full(self):
        """An output that takes no more is a failure: of the link, and of the code behind it."""
        for room in (0, len(PAGE) + 1):
            output = FullTerminal(room)
            self.addCleanup(output.file.close)
            status, told, complaint = self.invite(PAGE, output=output)
            self.assertEqual((status, told), (Status.LOST, f"{PAGE}\n"[:room]))
            self.assertIn("cannot write to standard output: No space left on device", complaint)

    def test_no_segno(self):
        """Without the package for QR codes, the link is there, and one line says what is not."""
        with patch.dict(sys.modules, {"segno": None}):
            status, output, complaint = self.invite(PAGE, output=TerminalText())
        self.assertEqual((status, output), (Status.DONE, f"{PAGE}\n"))
        self.assertIn("its extra, web", complaint)

    def test_no_cryptography(self):
        """For an address where browsers refuse the page, one line says to use https."""
        for url in (
            "http://chat.example.org/",
            "http://192.0.2.1:8080/",
            "http://[2001:db8::1]/",
            "http://notlocalhost/",
            "http://localhost.example.org/",
            "HTTP://chat/",
        ):
            with self.subTest(url=url):
                status, output, complaint = self.invite(url)
                self.assertEqual((status, output), (Status.DONE, f"{url}\n"))
                self.assertEqual(complaint.count("\n"), 1)
                self.assertIn("serve it over https://", complaint)

    def test_cryptography(self):
        """Over HTTPS and on the browser's own machine, there is no warning."""
        for url in (
            "http://localhost:8080/",
            "http://LOCALHOST./",
            "http://chat.localhost/",
            "http://127.0.0.2:8080/",
            "http://[::1]:8080/",
            PAGE,
            "HTTPS://192.0.2.1/",
        ):
            with self.subTest(url=url):
                self.assertEqual(self.invite(url), (Status.DONE, f"{url}\n", ""))

    def test_wrong(self):
        """A mistake is reported in one line."""
        for arguments in (
            ("ftp://a/",),
            (PAGE, "--key-file", "/nowhere/key"),
            (PAGE, "--room", ""),
        ):
            status, output, complaint = self.invite(*arguments)
            self.assertEqual((status, output, complaint.count("\n")), (Status.USAGE, "", 1))
