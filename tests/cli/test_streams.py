"""Standard streams that are closed, full, or without a reader."""

import io
import os
import sys

from chatd.cli.main import main
from chatd.cli.status import Status
from chatd.cli.streams import open_standard_streams
from tests.cli.wiring import ENDPOINT, CommandCase

WRONG = ["connect", ENDPOINT, "--name", "two words"]


class StreamCase(CommandCase):
    def exit_status(self, *arguments):
        """Run the command with the current streams; return its status."""
        try:
            return main(list(arguments))
        except SystemExit as exit:
            return exit.code


class StandardStreamsTests(StreamCase):
    def test_encoding(self):
        """Characters that the terminal's encoding lacks are replaced."""
        written = io.BytesIO()
        output = io.TextIOWrapper(written, encoding="latin-1")
        self.patch(sys, "stdout", output)
        self.assertEqual(main(["keygen", str(self.directory / "語")]), Status.DONE)
        output.flush()
        self.assertIn(b"/?; give a copy", written.getvalue())

    def test_closed_stream(self):
        """The next file to be opened does not get the number of a closed standard stream."""
        saved = os.dup(0)
        self.addCleanup(os.close, saved)
        self.addCleanup(os.dup2, saved, 0)
        os.close(0)
        status, _, _ = self.run_command("keygen", self.directory / "key")
        self.assertEqual(status, Status.DONE)
        self.assertTrue(os.path.samestat(os.fstat(0), os.stat(os.devnull)))

    def test_closed_output(self):
        """With standard output or error closed, its text does not go elsewhere."""
        for name, descriptor in (("stdout", 1), ("stderr", 2)):
            self.close(descriptor)
            self.patch(sys, name, None)
            open_standard_streams()
            self.addCleanup(getattr(sys, name).close)
            path = self.directory / name
            self.assertEqual(self.exit_status("keygen", str(path)), Status.DONE)
            self.assertTrue(path.exists())
            self.assertEqual(self.exit_status(*WRONG), Status.USAGE)

    def close(self, descriptor):
        """Close a descriptor, until the test ends."""
        saved = os.dup(descriptor)
        self.addCleanup(os.close, saved)
        self.addCleanup(os.dup2, saved, descriptor)
        os.close(descriptor)


class FullStreamsTests(StreamCase):
    """Streams that cannot be written."""

    def setUp(self):
        super().setUp()
        self.complaints = io.StringIO()
        self.patch(sys, "stderr", self.complaints)

    def stream(self, path):
        """Open a stream to a path, or of a descriptor."""
        descriptor = path if isinstance(path, int) else os.open(path, os.O_WRONLY)
        stream = os.fdopen(descriptor, "w", encoding="utf-8")
        self.addCleanup(stream.close)
        return stream

    def test_full_output(self):
        """If the output cannot be written, the work still ends, and an error says so."""
        self.patch(sys, "stdout", self.stream("/dev/full"))
        self.assertEqual(self.exit_status("keygen", str(self.directory / "key")), Status.DONE)
        self.assertEqual(
            self.complaints.getvalue(),
            "chatd: cannot write to standard output: No space left on device\n",
        )
        sys.stdout.flush()  # as Python does at exit: no failing output is left

    def test_asked_for(self):
        """If help or version cannot be written, the command has failed."""
        for option in ("--help", "--version"):
            self.patch(sys, "stdout", self.stream("/dev/full"))
            self.assertEqual(self.exit_status(option), Status.LOST)

    def test_nobody_reads(self):
        """A reader that has gone is not a failure."""
        for arguments in (["keygen", str(self.directory / "key")], ["--help"]):
            reader, writer = os.pipe()
            os.close(reader)
            self.patch(sys, "stdout", self.stream(writer))
            self.assertEqual(self.exit_status(*arguments), Status.DONE)
        self.assertEqual(self.complaints.getvalue(), "")

    def test_full_error(self):
        """An error that cannot be written does not change the status."""
        for arguments in (WRONG, ["bogus"]):
            self.patch(sys, "stderr", self.stream("/dev/full"))
            self.assertEqual(self.exit_status(*arguments), Status.USAGE)
            sys.stderr.flush()
