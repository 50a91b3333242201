"""Tests of Hypothesis's examples: the same in each run, and others with a seed."""

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import TestCase

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from tests import seeds

drawn: list[int] = []


class CountingMachine(RuleBasedStateMachine):
    """A machine that records its draws."""

    @rule(number=st.integers(0, 2**64))
    def note(self, number: int) -> None:
        """Record a number."""
        drawn.append(number)


class Fed:
    """Holds the sample tests, so that no runner collects them."""

    class Tests(TestCase):
        @given(st.integers(0, 2**64))
        def test_numbers(self, number):
            drawn.append(number)

        def test_machine(self):
            run_state_machine_as_test(CountingMachine)

        @given(st.integers(0, 2**64))
        def test_wrong(self, number):
            self.assertLess(number, 1_000)

        def test_plain(self):
            pass


TESTS = {name: Fed.Tests(name) for name in ("test_numbers", "test_machine", "test_wrong")}
"""The sample tests that draw, one instance each, because Hypothesis needs the same instance."""


def numbers_of(case: TestCase) -> tuple[int, ...]:
    """Run a test, and return its draws."""
    drawn.clear()
    assert case.run().wasSuccessful()
    return tuple(drawn)


class ProfileTests(SynchronousTestCase):
    def test_same_examples(self):
        """A test draws the same examples in each run, and so does a machine."""
        for name in ("test_numbers", "test_machine"):
            case = TESTS[name]
            first, second = numbers_of(case), numbers_of(case)
            self.assertGreater(len(set(first)), 50)
            self.assertEqual(first, second)

    def test_no_timing(self):
        """Neither the time of an example nor the database of an earlier run affects a result."""
        for name in ("same", "any"):
            profile = settings.get_profile(name)
            self.assertEqual((profile.deadline, profile.database), (None, None))
            self.assertIn(HealthCheck.too_slow, profile.suppress_health_check)

    def test_nowhere_else(self):
        """No test overrides the settings of the profile."""
        for path in Path(seeds.__file__).parent.rglob("*.py"):
            if path not in (Path(__file__), Path(__file__).parent / "__init__.py"):
                for name in ("deadline", "database", "derandomize"):
                    self.assertNotIn(f" {name}=None", path.read_text(), path)


class FindingTests(SynchronousTestCase):
    def test_every_module(self):
        """The search finds the tests of each module that draws from Hypothesis."""
        found = {type(case).__module__ for case in seeds.fed_tests()}
        for path in Path(seeds.__file__).parent.rglob("test_*.py"):
            if path != Path(__file__) and "\nfrom hypothesis import " in path.read_text():
                relative = path.relative_to(seeds.ROOT).with_suffix("")
                self.assertIn(".".join(relative.parts), found)

    def test_kinds(self):
        """The search finds tests with examples and with machines, and no plain tests."""
        plain = Fed.Tests("test_plain")
        self.assertEqual([*map(seeds.is_fed, [*TESTS.values(), plain])], [True, True, True, False])


class RunningTests(SynchronousTestCase):
    def run_main(self, *arguments: str) -> tuple[int, str]:
        """Run the command over the sample tests, and return its exit status and output."""
        self.patch(seeds, "fed_tests", lambda: [*TESTS.values()])
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            try:
                status = seeds.main(arguments)
            except SystemExit as left:
                status = int(left.code or 0)
        return status, said.getvalue()

    def test_passing(self):
        """Each seed draws other examples, and the same seed the same; the exit status is 0."""
        for word in ("test_numbers", "test_machine"):
            told = []
            for first in ("1", "2", "1"):
                drawn.clear()
                status, said = self.run_main(word, "--first", first, "--count", "1")
                self.assertEqual(status, 0)
                self.assertIn("1 of 1 tests pass with each of 1 seeds", said)
                told.append(tuple(drawn))
            self.assertEqual(told[0], told[2])
            self.assertNotEqual(told[0], told[1])
            self.assertNotIn(numbers_of(TESTS[word]), told)  # no seed is left behind

    def test_failing(self):
        """The run shows a failing test with its seed and its example; the exit status is 1."""
        status, said = self.run_main("wrong", "--first", "7", "--count", "2")
        self.assertEqual(status, 1)
        self.assertIn("test_wrong with seed 7", said)
        self.assertIn("number=1000", said)
        self.assertIn("0 of 1 tests pass", said)

    def test_no_such_test(self):
        """A word that is in no test's name is an error of the command line."""
        status, said = self.run_main("no-such-test")
        self.assertEqual(status, 2)
        self.assertIn("no test that uses Hypothesis", said)
