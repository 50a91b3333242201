"""``python -m tests.seeds [WORD...]``: run the tests that Hypothesis feeds, with many seeds.

The tests themselves try the same examples in each run; this tries others. Words select the tests
whose names hold one of them. A seed that fails is shown with what Hypothesis says of it, and the
exit status is then 1. ``python -m pytest TEST --hypothesis-seed=SEED`` runs a test with it again.
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
    """Run the tests with the seeds that are asked for, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.seeds", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="WORD", help="run only tests that have it")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="first seed (0)")
    parser.add_argument("--count", type=int, default=100, metavar="NUMBER", help="how many (100)")
    options = parser.parse_args(arguments)
    cases = [
        case
        for case in fed_tests()
        if not options.words or any(word in case.id() for word in options.words)
    ]
    if not cases:
        parser.error("no test that Hypothesis feeds has such a name")
    seeds = range(options.first, options.first + options.count)
    failed = sum(not passes(case, seeds) for case in cases)
    print(f"{len(cases) - failed} of {len(cases)} tests pass with each of {options.count} seeds")
    return 1 if failed else 0


def fed_tests() -> list[TestCase]:
    """Find the tests that draw their examples or the steps of a machine from Hypothesis."""
    modules = (
        import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for path in sorted(Path(__file__).parent.rglob("test_*.py"))
        if "hypothesis" in path.read_text()
    )
    suites = map(defaultTestLoader.loadTestsFromModule, modules)
    return [case for suite in suites for case in _cases_of(suite) if is_fed(case)]


def is_fed(case: TestCase) -> bool:
    """Say whether a test draws from Hypothesis."""
    test = _method_of(case)
    return is_hypothesis_test(test) or RUNS_MACHINE in test.__code__.co_names


def passes(case: TestCase, seeds: Sequence[int]) -> bool:
    """Run a test with each seed until it fails, and say how it went."""
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
    """Run a test with a seed; afterwards it draws the same as ever again."""
    fed = (_method_of(case), *_machines(RuleBasedStateMachine))
    for each in fed:
        seed(number)(each)
    try:
        case.run(result)  # the same instance: Hypothesis holds another to be a mistake
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
