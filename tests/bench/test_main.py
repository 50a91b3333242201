"""The command line refuses impossible measurements, with an error of one line."""

import contextlib
import io
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from twisted.trial.unittest import SynchronousTestCase

from bench import __main__ as program
from bench.figures import Effort
from bench.measures import MEASURES
from bench.peers import PEERS


class RefusalTests(SynchronousTestCase):
    def refused(self, *arguments):
        """Return the last line of the error, after checking for status 2."""
        told = io.StringIO()
        with contextlib.redirect_stderr(told), pytest.raises(SystemExit) as caught:
            program.main(arguments)
        self.assertEqual(caught.value.code, 2)
        lines = told.getvalue().splitlines()
        self.assertTrue(lines[0].startswith("usage: python -m bench"), lines[0])
        errors = [line for line in lines if line.startswith("python -m bench: error: ")]
        self.assertEqual(errors, lines[-1:])
        return errors[0].removeprefix("python -m bench: error: ")

    def test_measure(self):
        """An error about an unknown measure lists the measures."""
        expected = f"there is no measure 'speed'; there are {', '.join(MEASURES)}"
        self.assertEqual(self.refused("fan-out-1", "speed"), expected)

    def test_peer(self):
        """An error about an unknown peer lists the peers."""
        expected = f"there is no peer 'postgres'; there are {', '.join(PEERS)}"
        self.assertEqual(self.refused("--peers", "chatd,postgres"), expected)

    def test_rounds(self):
        """The number of rounds and the length of a run must be positive and finite."""
        for rounds in ("0", "-1"):
            self.assertEqual(
                self.refused("--rounds", rounds), "--rounds: at least one round is needed"
            )
        for seconds in ("0", "-1", "nan", "inf"):
            said = self.refused("--seconds", seconds)
            self.assertEqual(said, "--seconds: a run takes more than 0 and up to 60 seconds")

    def test_soak_seconds(self):
        """A soak has a minimum and a maximum length."""
        for seconds in ("0", "2.9", "nan", "inf", "604801"):
            said = self.refused("--soak-seconds", seconds)
            self.assertEqual(said, "--soak-seconds: a soak takes 3 to 604800 seconds")

    def test_not_a_number(self):
        """An error about a bad number names its option."""
        self.assertIn("--rounds", self.refused("--rounds", "many"))

    def test_nowhere_to_write(self):
        """Before measuring, the bench reports a file that it cannot write."""
        self.patch(program, "find_spec", lambda _: object())  # as if matplotlib were installed
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "file"
            file.touch()
            for option, path in (
                ("--json", "/nonexistent/figures.json"),
                ("--json", directory),
                ("--plots", str(file)),
            ):
                self.assertIn(f"{path} cannot be written", self.refused(option, path))

    def test_without_matplotlib(self):
        """Before measuring, the bench reports missing matplotlib."""
        self.patch(program, "find_spec", lambda _: None)
        said = self.refused("--plots", "plots")
        self.assertEqual(said, "--plots needs matplotlib: install chatd with its extra, bench")


class MainTests(SynchronousTestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name) / "figures.json"
        self.taken: list[Any] = []

        def take(peers, effort, note):
            self.taken.append(([peer.name for peer in peers], effort))
            for _ in range(2):
                note("the driver was the limit")
            return {"fan-out-10": {peer.name: [3.0] * effort.rounds for peer in peers}}

        measures = {"fan-out-10": replace(MEASURES["fan-out-10"], take=take)}
        self.patch(program, "MEASURES", measures)
        self.patch(program, "missing_peers", lambda names: [n for n in names if n == "ngircd"])

    def run_main(self, *arguments):
        """Return the output."""
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            self.assertEqual(program.main(arguments), 0)
        return told.getvalue()

    def test_missing(self):
        """The bench names a peer that is not installed, and measures the others."""
        told = self.run_main("--peers", "chatd,floor,ngircd")
        self.assertIn("ngIRCd is missing: it is not installed here\n", told)
        self.assertEqual([names for names, _ in self.taken], [["chatd", "floor"]])

    def test_not_reached(self):
        """The bench reports a target that it does not reach, which is no failure."""
        told = self.run_main("--peers", "chatd,floor")
        self.assertIn("chatd 1.00 × floor, asked for ≥ 2: NOT reached\n", told)

    def test_notes(self):
        """A note is printed once."""
        told = self.run_main("--peers", "floor")
        self.assertEqual(told.count("note: the driver was the limit\n"), 1)

    def test_effort(self):
        """The effort follows the options."""
        self.run_main("--rounds", "2", "--seconds", "0.5")
        self.run_main("--quick")
        efforts = [effort for _, effort in self.taken]
        self.assertEqual((efforts[0].rounds, efforts[0].seconds), (2, 0.5))
        self.assertEqual(efforts[1], program.QUICK)

    def test_soak_seconds(self):
        """The length of a soak can be set, with a quick run too."""
        self.run_main("--soak-seconds", "7")
        self.run_main("--quick", "--soak-seconds", "5")
        efforts = [effort for _, effort in self.taken]
        self.assertEqual(efforts[0], replace(Effort(), soak_s=7.0))
        self.assertEqual(efforts[1], replace(program.QUICK, soak_s=5.0))

    def test_json(self):
        """The bench writes every figure to the given file."""
        self.run_main("--peers", "floor,ngircd", "--rounds", "2", "--json", str(self.path))
        told = json.loads(self.path.read_text())
        figures = told["measures"]["fan-out-10"]["figures"]
        self.assertEqual(figures, {"fan-out-10": {"floor": [3.0, 3.0]}})
        self.assertEqual(told["missing"], ["ngircd"])

    def test_nobody_takes_part(self):
        """The bench reports and skips a measure without any chosen peer."""
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            self.assertEqual(program.main(("fan-out-10", "--peers", "chatd-sqlite")), 0)
        self.assertIn("none of the chosen peers", told.getvalue())
        self.assertEqual(self.taken, [])
