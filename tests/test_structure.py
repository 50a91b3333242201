"""Tests of the tests: each runs once, and each failure shows its values."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import TestCase

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def is_test_module(name: str) -> bool:
    return name.startswith("tests.") and name.rpartition(".")[2].startswith("test_")


def imports_of_tests(source: str, package: str) -> set[str]:
    """Return the test modules that a module of a package imports, at any place."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: 1 - node.level or None] if node.level else []
            base = ".".join([*parents, *filter(None, [node.module])])
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        found.update(filter(is_test_module, names))
    return found


def asserts_by_class(source: str) -> dict[str, list[int]]:
    """Return the lines of the `assert` statements in a module's classes, by class name."""
    classes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]
    found = {
        cls.name: [node.lineno for node in ast.walk(cls) if isinstance(node, ast.Assert)]
        for cls in classes
    }
    return {name: lines for name, lines in found.items() if lines}


def has_tests(cls: type) -> bool:
    return any(name.startswith("test") for name in dir(cls))


def all_cases() -> Iterator[type]:
    """Yield the test cases of all test modules, and their base classes."""
    for path in sorted(ROOT.glob("tests/**/test_*.py")):
        importlib.import_module(module_of(path))
    waiting = TestCase.__subclasses__()
    while waiting:
        case = waiting.pop()
        waiting += case.__subclasses__()
        if case.__module__.startswith("tests."):
            yield case


class ImportTests(SynchronousTestCase):
    """Both runners run all test cases in the namespace of a test module, even imported cases."""

    def test_every_module(self):
        """No module imports a test module: shared parts of tests are in their own modules."""
        paths = [*ROOT.glob("tests/**/*.py"), *ROOT.glob("bench/**/*.py")]
        self.assertGreater(len(paths), 200)
        for path in paths:
            package = module_of(path.parent / "__init__").removesuffix(".__init__")
            found = imports_of_tests(path.read_text("utf-8"), package)
            self.assertEqual(found, set(), str(path))

    def test_shared_cases(self):
        """A shared case has no tests of its own, which would run in each module that uses it."""
        shared = [case for case in all_cases() if not is_test_module(case.__module__)]
        self.assertGreater(len(shared), 10)
        self.assertEqual([case for case in shared if has_tests(case)], [])

    def test_the_check(self):
        """The check finds an import of a test module in any form and at any place."""
        for source in (
            "import tests.wire.test_codec",
            "import json, tests.wire.test_codec as codec",
            "from tests.wire import test_codec",
            "from tests.wire.test_codec import CodecTests",
            "from . import test_codec",
            "from .test_codec import CodecTests",
            "from ..wire.test_codec import CodecTests",
            "def function():\n    from tests.wire import test_codec",
        ):
            found = imports_of_tests(source, "tests.wire")
            self.assertIn("tests.wire.test_codec", found, source)
        source = "import tests.wire.samples\nfrom tests.fakes import peers\nfrom . import samples"
        self.assertEqual(imports_of_tests(source, "tests.wire"), set())


class AssertionTests(SynchronousTestCase):
    """Under trial, a failed bare `assert` shows no values; the methods of a case do."""

    def test_every_case(self):
        """Test cases and their mixins assert only with the methods of the case."""
        classes: dict[str, set[str]] = {}
        for each in {each for case in all_cases() for each in case.__mro__}:
            if each.__module__.startswith("tests."):
                classes.setdefault(each.__module__, set()).add(each.__qualname__)
        self.assertGreater(len(classes), 100)
        for module, names in classes.items():
            path = ROOT / Path(*module.split(".")).with_suffix(".py")
            found = asserts_by_class(path.read_text("utf-8"))
            bare = {name: lines for name, lines in found.items() if name in names}
            self.assertEqual(bare, {}, str(path))

    def test_own_methods(self):
        """No test case replaces `fail` or an assertion, so that all others can fail."""
        own = {name for name in dir(SynchronousTestCase) if name.startswith(("assert", "fail"))}
        self.assertLess({"fail", "assertEqual", "failureException"}, own)
        for case in all_cases():
            self.assertEqual(own & set(vars(case)), set(), case.__qualname__)

    def test_the_check(self):
        """The check finds a bare `assert` at any place in a class, with its line."""
        source = "def plain():\n    assert 1\nclass A:\n    def test(self):\n        assert 1\n"
        self.assertEqual(asserts_by_class(source), {"A": [5]})
        self.assertEqual(asserts_by_class("class A:\n    def test(self):\n        self.ok()\n"), {})


class RunnerTests(SynchronousTestCase):
    """trial runs the test cases, `pytest -m pytest_only` all other tests: each test runs once."""

    def test_pytest_only(self):
        """The marker selects functions and plain classes, no test case and no benchmark."""
        functions = "tests/integration/test_rundir.py"
        plain_classes = "tests/integration/test_load.py"
        cases, benchmarks = "tests/integration/test_peer.py", "tests/benchmark"
        # Under xdist, pytest-benchmark would warn that it measures nothing.
        env = {name: value for name, value in os.environ.items() if "XDIST" not in name}
        completed = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "pytest_only"),
                *(functions, plain_classes, cases, benchmarks),
            ],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
        found = re.findall(r"^(tests/.+?)::", completed.stdout, re.MULTILINE)
        self.assertEqual(set(found), {functions, plain_classes})
        self.assertRegex(completed.stdout, r"\d+/\d+ tests collected \([1-9]\d+ deselected\)")

    def test_readme(self):
        """The README's command is these two commands."""
        readme = (ROOT / "README.md").read_text("utf-8")
        self.assertRegex(
            readme, r"-m twisted.trial tests && .venv/bin/python -m pytest [^&]*-m pytest_only\n"
        )
