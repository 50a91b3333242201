"""Tests of the sessions, bounds and changelog fragments that contributors and CI use."""

from __future__ import annotations

import ast
import re
from configparser import ConfigParser
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent
NOXFILE = ROOT / "noxfile.py"
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"


def _noxfile() -> ast.Module:
    return ast.parse(NOXFILE.read_text())


def _supported() -> list[str]:
    """Return the versions of Python that have their own session."""
    for node in _noxfile().body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SUPPORTED":
            return list(ast.literal_eval(node.value))
    return []


def _sessions() -> dict[str, str]:
    """Return the decorator of each session, by the session's name."""
    sessions: dict[str, str] = {}
    for node in _noxfile().body:
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            decorator = ast.unparse(node.decorator_list[0])
            names = [node.name]
            if "python=SUPPORTED" in decorator:
                names = [f"{node.name}-{version}" for version in _supported()]
            sessions |= dict.fromkeys(names, decorator)
    return sessions


class SessionTests(SynchronousTestCase):
    """The sessions of noxfile.py, and the files that name them."""

    def test_workflow(self):
        """The workflow runs each session but two, and names only existing sessions."""
        text = WORKFLOW.read_text()
        named = re.findall(r"session: ([a-z][a-z0-9.-]*)", text)
        listed = text.split("        session:\n")[1].split("    steps:")[0]
        named += re.findall(r"- ([a-z]+)\n", listed)
        others = {"quick", "newest"}  # `coverage` and `tests-3.14` run the same tests, and more
        self.assertEqual(sorted(named), sorted(set(_sessions()) - others))

    def test_workflow_pythons(self):
        """The workflow uses each Python that has a session."""
        tried = re.findall(r'python: "(3\.\d+)"', WORKFLOW.read_text())
        self.assertEqual(sorted(set(tried)), sorted(_supported()))

    def test_contributing(self):
        """CONTRIBUTING.md names only existing sessions."""
        text = CONTRIBUTING.read_text()
        named = set(re.findall(r"nox (?:-R )?-s ([a-z][a-z0-9.-]*)", text))
        self.assertIn("lowest", named)
        self.assertEqual(named - set(_sessions()), {"tests"})  # runs on each Python

    def test_pythons(self):
        """Each Python in the package's classifiers has a session, from the lowest version on."""
        config = ConfigParser()
        config.read(ROOT / "setup.cfg")
        claimed = re.findall(r"Python :: (3\.\d+)", config["metadata"]["classifiers"])
        self.assertEqual(_supported()[: len(claimed)], claimed)
        self.assertEqual(config["options"]["python_requires"], f">={_supported()[0]}")


class BoundsTests(SynchronousTestCase):
    """The lower bounds of chatd's requirements."""

    def test_reasons(self):
        """Each requirement has a lower bound, which the session `lowest` can pin, and a reason."""
        config = (ROOT / "setup.cfg").read_text()
        lines = config.split("install_requires =\n")[1].split("\n\n")[0].splitlines()
        self.assertTrue(lines)
        for reason, requirement in zip(lines[::2], lines[1::2], strict=True):
            self.assertRegex(reason, r"^    # .+\.$")
            self.assertRegex(
                requirement,
                r"^    [a-z0-9-]+(\[[a-z]+\])? >= [0-9.]+(; python_version < \"[0-9.]+\")?$",
            )


class FragmentTests(SynchronousTestCase):
    """The fragments of the changelog."""

    def test_names(self):
        """Each name has the form that CONTRIBUTING.md asks for; each file ends with one newline."""
        for path in (ROOT / "changelog.d").iterdir():
            if path.name != "README.md":
                self.assertRegex(
                    path.name, r"^\+[a-z0-9-]+\.(added|changed|removed|fixed|security)\.md$"
                )
                self.assertRegex(path.read_text(), r"\S\n\Z")
