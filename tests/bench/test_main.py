"""The command line: what cannot be measured is refused, and told in one line."""

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
        """The last line of what is told, with status 2."""
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
        """A measure that there is not is named, and so are those that there are."""
        expected = f"there is no measure 'speed'; there are {', '.join(MEASURES)}"
        self.assertEqual(self.refused("fan-out-1", "speed"), expected)

    def test_peer(self):
        """A peer that there is not is named, and so are those that there are."""
        expected = f"there is no peer 'postgres'; there are {', '.join(PEERS)}"
        self.assertEqual(self.refused("--peers", "chatd,postgres"), expected)

    def test_rounds(self):
        """Nothing can be measured in no round, or in no time, or in no end of it."""
        for rounds in ("0", "-1"):
            self.assertEqual(
                self.refused("--rounds", rounds), "--rounds: at least one round is needed"
            )
        for seconds in ("0", "-1", "nan", "inf"):
            said = self.refused("--seconds", seconds)
            self.assertEqual(said, "--seconds: a run takes more than 0 and up to 60 seconds")

    def test_soak_seconds(self):
        """A soak has a shortest and a longest time."""
        for seconds in ("0", "2.9", "nan", "inf", "604801"):
            said = self.refused("--soak-seconds", seconds)
            self.assertEqual(said, "--soak-seconds: a soak takes 3 to 604800 seconds")

    def test_not_a_number(self):
        """What is no number is told with its option."""
        self.assertIn("--rounds", self.refused("--rounds", "many"))

    def test_nowhere_to_write(self):
        """A file that cannot be made is told before anything is measured."""
        self.patch(program, "find_spec", lambda _: object())  # as where matplotlib is installed
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
        """Where plots cannot be drawn, that is told before anything is measured."""
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
        """What is printed."""
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            self.assertEqual(program.main(arguments), 0)
        return told.getvalue()

    def test_missing(self):
        """A peer that is not installed is named, and the others are measured."""
        told = self.run_main("--peers", "chatd,floor,ngircd")
        self.assertIn("ngIRCd is missing: it is not installed here\n", told)
        self.assertEqual([names for names, _ in self.taken], [["chatd", "floor"]])

    def test_not_reached(self):
        """How fast it was is told, and is no failure."""
        told = self.run_main("--peers", "chatd,floor")
        self.assertIn("chatd 1.00 × floor, asked for ≥ 2: NOT reached\n", told)

    def test_notes(self):
        """A note is told once."""
        told = self.run_main("--peers", "floor")
        self.assertEqual(told.count("note: the driver was the limit\n"), 1)

    def test_effort(self):
        """How much is done is what was asked for."""
        self.run_main("--rounds", "2", "--seconds", "0.5")
        self.run_main("--quick")
        efforts = [effort for _, effort in self.taken]
        self.assertEqual((efforts[0].rounds, efforts[0].seconds), (2, 0.5))
        self.assertEqual(efforts[1], program.QUICK)

    def test_soak_seconds(self):
        """How long a soak takes can be asked for, with a quick run too."""
        self.run_main("--soak-seconds", "7")
        self.run_main("--quick", "--soak-seconds", "5")
        efforts = [effort for _, effort in self.taken]
        self.assertEqual(efforts[0], replace(Effort(), soak_s=7.0))
        self.assertEqual(efforts[1], replace(program.QUICK, soak_s=5.0))

    def test_json(self):
        """Every figure is written where it was asked for."""
        self.run_main("--peers", "floor,ngircd", "--rounds", "2", "--json", str(self.path))
        told = json.loads(self.path.read_text())
        figures = told["measures"]["fan-out-10"]["figures"]
        self.assertEqual(figures, {"fan-out-10": {"floor": [3.0, 3.0]}})
        self.assertEqual(told["missing"], ["ngircd"])

    def test_nobody_takes_part(self):
        """A measure in which nobody who was asked for takes part is told, and passed over."""
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            self.assertEqual(program.main(("fan-out-10", "--peers", "chatd-sqlite")), 0)
        self.assertIn("none of the chosen peers", told.getvalue())
        self.assertEqual(self.taken, [])
