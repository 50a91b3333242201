"""Tests of the start of the `chatd` command, while it is still being imported."""

from __future__ import annotations

import contextlib
import io
import signal
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.start import main

DEADLINE_S = 60
INTERRUPTED = """
import builtins, os, signal, sys
signal.signal(signal.SIGINT, {action})
whole = builtins.__import__
def interrupted(name, *rest):
    if name.startswith("twisted"):
        os.kill(os.getpid(), signal.SIGINT)
    return whole(name, *rest)
builtins.__import__ = interrupted
sys.argv = ["chatd", "--version"]
from chatd.cli.start import main
sys.exit(main())
"""


class StartTests(SynchronousTestCase):
    """Ctrl+C in the first moments."""

    def run_with(self, action: str) -> subprocess.CompletedProcess[str]:
        """Start with an action for SIGINT, and interrupt each import of Twisted."""
        code = INTERRUPTED.format(action=action)
        return subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    def test_interrupted(self) -> None:
        """The command ends with the shell's status for SIGINT, and writes nothing."""
        ended = self.run_with("signal.default_int_handler")
        self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (130, "", ""))
        self.assertEqual(128 + signal.SIGINT, 130)

    def test_ignored(self) -> None:
        """If SIGINT is ignored, as in the background, it stays ignored."""
        ended = self.run_with("signal.SIG_IGN")
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        self.assertRegex(ended.stdout, "^chatd ")


class WithinTests(SynchronousTestCase):
    """The same within this process."""

    def test_version(self) -> None:
        """The command runs, and its status is the program's."""
        self.addCleanup(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        printed = io.StringIO()
        self.patch(sys, "argv", ["chatd", "--version"])
        with contextlib.redirect_stdout(printed):
            end = self.assertRaises(SystemExit, main)
        self.assertEqual(end.code, 0)
        self.assertRegex(printed.getvalue(), "^chatd ")
        self.assertNotEqual(signal.getsignal(signal.SIGINT), signal.default_int_handler)

    def test_status(self) -> None:
        """A command returns its status."""
        self.addCleanup(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.patch(sys, "argv", ["chatd", "manual", "chatd.8"])
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(main(), 0)
        self.assertEqual(signal.getsignal(signal.SIGINT), signal.SIG_IGN)


class ImportTests(SynchronousTestCase):
    """The command imports what it needs."""

    def test_no_daemon(self) -> None:
        """The client imports neither the daemon nor its store."""
        code = (
            "import sys, chatd.cli.connecting\n"
            "print([name for name in sys.modules if name.startswith(('chatd.daemon', 'sqlite3'))])"
        )
        printed = subprocess.check_output(
            [sys.executable, "-c", code], text=True, timeout=DEADLINE_S
        )
        self.assertEqual(printed, "[]\n")
