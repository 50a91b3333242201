"""Tests of the sessions, bounds and changelog fragments that contributors and CI use."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.integration.tools import tool

ROOT = Path(__file__).parent.parent
NOXFILE = ROOT / "noxfile.py"
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
RUN = ROOT / ".ci/run"
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
        """The workflow runs each session but `quick`, and names only existing sessions."""
        text = WORKFLOW.read_text()
        named = re.findall(r"session: ([a-z][a-z0-9.-]*)", text)
        listed = text.split("        session:\n")[1].split("    steps:")[0]
        named += re.findall(r"- ([a-z]+)\n", listed)
        self.assertEqual(sorted(named), sorted(set(_sessions()) - {"quick"}))

    def test_run(self):
        """`.ci/run` runs each session with the tag `ci` in one of its jobs.

        Sessions that install packages into the project's directory do so in a clone of their own,
        or after all others.
        """
        text = RUN.read_text()
        apart, after = re.findall(r'^(?:apart|after)="([a-z ]+)"$', text, re.MULTILINE)
        self.assertIn("\n    .venv/bin/nox --stop-on-first-error --session $apart\n", text)
        others = text.index('\n.venv/bin/nox --tags ci --keywords "not ${own// / and not }" ')
        last = text.index("\n.venv/bin/nox --stop-on-first-error --session $after\n")
        self.assertLess(others, last)
        sessions = {name: text for name, text in _sessions().items() if "'ci'" in text}
        own = [name for name, text in sessions.items() if "python=False" not in text]
        self.assertEqual(sorted(f"{apart} {after}".split()), sorted(own))
        # `--keywords` looks for a part of a name.
        left = set(sessions) - set(own)
        self.assertEqual([each for each in left if any(name in each for name in own)], [])
        self.assertGreater(len(left), 5)

    def test_workflow_pythons(self):
        """The workflow uses each Python that has a session."""
        tried = re.findall(r'python: "(3\.\d+)"', WORKFLOW.read_text())
        self.assertEqual(sorted(set(tried)), sorted(_supported()))
        (other,) = re.findall(r'python-version: "(3\.\d+)"', WORKFLOW.read_text())
        text = " ".join(CONTRIBUTING.read_text().split())
        self.assertIn(f"on every Python from {tried[0]} to {_supported()[-1]}", text)
        self.assertIn(f"the other sessions on Python {other}", text)

    def test_contributing(self):
        """CONTRIBUTING.md names only existing sessions."""
        text = CONTRIBUTING.read_text()
        named = set(re.findall(r"nox (?:-R )?-s ([a-z][a-z0-9.-]*)", text))
        self.assertIn("lowest", named)
        self.assertEqual(named - set(_sessions()), {"tests"})  # runs on each Python

    def test_quick(self):
        """`nox` alone runs the checks that CONTRIBUTING.md lists, and installs nothing."""
        quick = {name: text for name, text in _sessions().items() if "'quick'" in text}
        self.assertEqual(set(quick), {"lint", "types", "quick"})
        for text in quick.values():
            self.assertIn("python=False", text)
        for each in _noxfile().body:
            if isinstance(each, ast.FunctionDef) and each.name in quick:
                self.assertNotIn("install", ast.unparse(each))
        text = " ".join(CONTRIBUTING.read_text().split())
        listed = "the quick checks: style, spelling, types, and the tests of single modules"
        self.assertIn(
            f"{listed} without the long searches, without those with the marker `slow`,", text
        )
        self.assertIn("and without those that need a Redis server", text)
        for left_out in ('"-m", NOT_SLOW', "--ignore=tests/backplane/redis"):
            self.assertIn(left_out, NOXFILE.read_text())

    def test_passed_on(self):
        """The programs know the options that CONTRIBUTING.md passes on to them."""
        passed = re.findall(r"`nox -s (fuzz|seeds) -- (--\w+) ", CONTRIBUTING.read_text())
        self.assertEqual({name for name, _ in passed}, {"fuzz", "seeds"})
        for name, option in passed:
            program = [sys.executable, "-m", f"tests.{name}", "--help"]
            shown = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True)
            self.assertIn(f"{option} ", shown.stdout)

    def test_tools(self):
        """`.ci/tools` installs the programs that CONTRIBUTING.md names."""
        text = " ".join(CONTRIBUTING.read_text().split())
        (named,) = re.findall(r"`\.ci/tools`, which installs (.+?) with `apt-get`", text)
        (packages,) = re.findall(r"packages=\((.+?)\)", (ROOT / ".ci/tools").read_text(), re.DOTALL)
        known = {"ssh": "openssh-client", "sshd": "openssh-server"}
        listed = {known.get(name, name) for name in re.split(", | and ", named.lower())}
        # The `stream` module is a part of nginx that Debian packs by itself; the rest are headers.
        parts = {
            "libnginx-mod-stream",
            "chromium-driver",
            "libc6-dev",
            "libdeflate-dev",
            "libssl-dev",
            "zlib1g-dev",
        }
        self.assertEqual(listed, set(packages.split()) - parts - {"pkg-config"})

    def test_sanitizers(self):
        """The session `sanitizers` runs each test of the C module, and its fuzzer."""
        session = NOXFILE.read_text().split("def sanitizers(")[1].split("\n\n\n")[0]
        self.assertIn('"-fsanitize=address,undefined', session)
        self.assertRegex(session, r"session\.run\(\*fuzz_runs, env=env\)")
        self.assertRegex(session, r'fuzz_runs = \("python", "-m", "tests\.fuzz", .+, "runs"\)\n')
        (words,) = re.findall(r'session\.run\(\*PYTEST, "tests/wire", "-k", "(.+)", env=', session)
        cases = set()
        for path in sorted((ROOT / "tests" / "wire").glob("test_*.py")):
            cases |= set(re.findall(r"^@needs_native\nclass (\w+)\(", path.read_text(), re.M))
        self.assertGreater(len(cases), 5)
        left_out = {
            case
            for case in cases
            if not any(word.lower() in case.lower() for word in words.split(" or "))
        }
        self.assertEqual(left_out, set())

    def test_missing_tool(self):
        """A test without its program is skipped; with `CHATD_TOOLS=all`, it fails."""
        self.patch(os, "environ", {**os.environ, "CHATD_TOOLS": ""})
        self.assertRaises(pytest.skip.Exception, tool, "no-such-program")
        os.environ["CHATD_TOOLS"] = "all"
        self.assertRaises(pytest.fail.Exception, tool, "no-such-program")
        for path in (CONTRIBUTING, RUN):
            self.assertIn("CHATD_TOOLS=all", path.read_text())

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
        for name in ("install_requires", "speed", "redis", "web"):
            (listed,) = re.findall(rf"^{name} =\n((?:    .+\n)+)", config, re.MULTILINE)
            lines = listed.splitlines()
            for reason, requirement in zip(lines[::2], lines[1::2], strict=True):
                self.assertRegex(reason, r"^    # .+\.$")
                self.assertRegex(
                    requirement,
                    r"^    [a-z0-9-]+(\[[a-z]+\])? >= [0-9.]+(; python_version < \"[0-9.]+\")?$",
                )


class CommittedTests(SynchronousTestCase):
    """The files that git keeps."""

    def test_nothing_compiled(self):
        """No compiled file is among them: it would be stale, or for another machine."""
        git = shutil.which("git")
        if git is None or not (ROOT / ".git").exists():
            raise SkipTest("this is no git repository")
        listing = [git, "ls-files", "-z"]
        listed = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
        names = listed.stdout.split("\0")
        self.assertIn("setup.py", names)
        compiled = (".so", ".pyc", ".pyd", ".o")
        self.assertEqual([name for name in names if name.endswith(compiled)], [])


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

    def test_lines(self):
        """No line is longer than the page on fragments says."""
        readme = (ROOT / "changelog.d/README.md").read_text()
        (columns,) = re.findall(r"break lines at (\d+)\s+columns", readme)
        for path in (ROOT / "changelog.d").glob("+*"):
            for line in path.read_text().splitlines():
                self.assertLessEqual(len(line), int(columns), path.name)
