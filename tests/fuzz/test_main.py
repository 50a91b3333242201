"""Tests of the fuzzers' command line: its errors and its output."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.fuzz import CORPUS, TARGETS, __main__, load


class UsageTests(SynchronousTestCase):
    def run_main(self, *arguments: str) -> tuple[object, str]:
        """Run the command; return its status and its errors."""
        told = io.StringIO()
        with redirect_stderr(told), redirect_stdout(io.StringIO()):
            try:
                status: object = __main__.main(arguments)
            except SystemExit as error:
                status = error.code
        return status, told.getvalue()

    def test_wrong_usage(self):
        """A wrong argument gives one line, and the status of wrong usage."""
        for arguments, word in (
            (("nothing",), "there is no target nothing"),
            (("frames", "nothing"), "there are frames, envelope, runs, header"),
            (("--seconds", "soon"), "whole number of seconds"),
            (("--seconds", "0"), "whole number of seconds"),
            (("--seconds",), "expected one argument"),
            (("--fast",), "--fast"),
        ):
            status, told = self.run_main(*arguments)
            self.assertEqual(status, 2, arguments)
            self.assertIn(word, told)
            self.assertEqual(told.count("\n"), 1, told)

    def test_without_atheris(self):
        """Without atheris, one line names the package to install."""
        self.patch(__main__, "find_spec", lambda name: None)
        status, told = self.run_main("frames")
        self.assertEqual(status, 2)
        self.assertIn("pip install atheris", told)
        self.assertEqual(told.count("\n"), 1, told)

    def test_status(self):
        """Every target has its turn, and a target that fails makes the command fail."""
        asked: list[tuple[str, int, bool]] = []

        def fuzz(name: str, *, seconds: int, keeps: bool) -> bool:
            asked.append((name, seconds, keeps))
            return name != "channel"

        self.patch(__main__, "find_spec", lambda name: name)
        self.patch(__main__, "fuzz", fuzz)
        self.assertEqual(self.run_main(), (1, ""))
        self.assertEqual(asked, [(name, 5, False) for name in TARGETS])
        asked.clear()
        self.assertEqual(self.run_main("server", "frames", "--seconds", "9", "--keep"), (0, ""))
        self.assertEqual(asked, [("server", 9, True), ("frames", 9, True)])


class RunTests(SynchronousTestCase):
    def fuzz(self, status: int, said: str) -> tuple[bool, str]:
        """Fuzz with a fake process; return whether all checks succeeded, and the output."""
        self.patch(__main__, "_run", lambda *_: (status, said))
        told = io.StringIO()
        with redirect_stdout(told):
            held = __main__.fuzz("frames", seconds=1, keeps=False)
        return held, told.getvalue()

    def test_fine(self):
        """One line has the number of inputs, and of reached branches."""
        held, told = self.fuzz(0, "#9 DONE cov: 7 ft: 9\nstat::number_of_executed_units: 1234\n")
        kept = len(list((CORPUS / "frames").iterdir()))
        self.assertEqual(told, f"frames: 1234 inputs, 7 branches, {kept} kept\n")
        self.assertTrue(held)

    def test_broken(self):
        """The command shows a failed target's output, and the directory of the input."""
        faulty = self.mktemp()
        self.patch(__main__, "mkdtemp", lambda prefix: faulty)
        held, told = self.fuzz(77, "tests.fuzz.targets.Broken: byte by byte: ...")
        self.assertFalse(held)
        self.assertIn("Broken: byte by byte", told)
        self.assertIn(f"frames: failed; the input is in {faulty}", told)

    def test_process(self):
        """A separate process tries a target, within the time of a test."""
        if find_spec("atheris") is None:
            raise SkipTest("atheris is not installed")
        told = io.StringIO()
        with redirect_stdout(told):
            held = __main__.fuzz("envelope", seconds=1, keeps=False)
        self.assertTrue(held, told.getvalue())
        self.assertRegex(told.getvalue(), r"^envelope: [1-9]\d* inputs, [1-9]\d* branches")

    def test_targets(self):
        """Every target can be loaded."""
        for name in TARGETS:
            self.assertEqual(load(name).__name__, name)
