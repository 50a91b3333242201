"""``python -m tests.seeds [WORD...]``: run the tests that use Hypothesis, with many seeds.

The tests try the same examples in each run; this command tries others. A test is selected if its
name contains one of the words. For a failure, the command shows the seed and the output of
Hypothesis, and the exit status is 1. ``python -m pytest TEST --hypothesis-seed=SEED`` runs a test
again with a seed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import TestCase, TestResult, TestSuite, defaultTestLoader

from hypothesis import is_hypothesis_test, seed
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

ROOT = Path(__file__).parent.parent
RUNS_MACHINE = run_state_machine_as_test.__name__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the selected tests with the selected seeds, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.seeds", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="WORD", help="run only tests with this word")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="first seed (0)")
    parser.add_argument("--count", type=int, default=100, metavar="NUMBER", help="seeds (100)")
    options = parser.parse_args(arguments)
    cases = [
        case
        for case in fed_tests()
        if not options.words or any(word in case.id() for word in options.words)
    ]
    if not cases:
        parser.error("no test that uses Hypothesis has such a name")
    seeds = range(options.first, options.first + options.count)
    failed = sum(not passes(case, seeds) for case in cases)
    print(f"{len(cases) - failed} of {len(cases)} tests pass with each of {options.count} seeds")
    return 1 if failed else 0


def fed_tests() -> list[TestCase]:
    """Return the tests whose examples or machine steps come from Hypothesis."""
    modules = (
        import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for path in sorted(Path(__file__).parent.rglob("test_*.py"))
        if "hypothesis" in path.read_text()
    )
    suites = map(defaultTestLoader.loadTestsFromModule, modules)
    return [case for suite in suites for case in _cases_of(suite) if is_fed(case)]


def is_fed(case: TestCase) -> bool:
    """Return whether a test draws from Hypothesis."""
    test = _method_of(case)
    return is_hypothesis_test(test) or RUNS_MACHINE in test.__code__.co_names


def passes(case: TestCase, seeds: Sequence[int]) -> bool:
    """Run a test with each seed until it fails; print the result, and return whether it passed."""
    began = time.process_time()
    for number in seeds:
        result = TestResult()
        run_with(case, number, result)
        if not result.wasSuccessful():
            _, said = (result.failures + result.errors)[0]
            print(f"FAILED {case.id()} with seed {number}\n{said}", flush=True)
            return False
    print(f"passed {case.id()} ({time.process_time() - began:.0f} s of CPU)", flush=True)
    return True


def run_with(case: TestCase, number: int, result: TestResult) -> None:
    """Run a test with a seed; afterwards, it draws the usual examples again."""
    fed = (_method_of(case), *_machines(RuleBasedStateMachine))
    for each in fed:
        seed(number)(each)
    try:
        case.run(result)  # the same instance: Hypothesis reports an error for another
    finally:
        for each in fed:
            seed(None)(each)


def _cases_of(suite: TestSuite) -> Iterator[TestCase]:
    for each in suite:
        if isinstance(each, TestSuite):
            yield from _cases_of(each)
        elif hasattr(each, each._testMethodName):
            yield each


def _method_of(case: TestCase):
    return getattr(case, case._testMethodName).__func__


def _machines(machine: type[Any]) -> Iterator[type[Any]]:
    for each in machine.__subclasses__():
        yield each
        yield from _machines(each)


if __name__ == "__main__":
    sys.exit(main())
