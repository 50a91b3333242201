"""Tests of the imports between the client's modules."""

from __future__ import annotations

import ast
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import chatd.client

PACKAGE = "chatd.client."


def imports() -> dict[str, set[str]]:
    """Return the package's modules that each module imports, imports for types included."""
    (folder,) = chatd.client.__path__
    found: dict[str, set[str]] = {}
    for path in Path(folder).glob("*.py"):
        names = found[path.stem] = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            if module.startswith(PACKAGE):
                names.add(module.removeprefix(PACKAGE))
    return found


def reachable(found: dict[str, set[str]], start: str) -> set[str]:
    """Return the modules that a module imports, directly or indirectly."""
    reached: set[str] = set()
    left = [*found[start]]
    while left:
        name = left.pop()
        if name not in reached:
            reached.add(name)
            left += found[name]
    return reached


class CircleTests(SynchronousTestCase):
    """Modules import each other in one direction."""

    def test_objects_know_no_client(self) -> None:
        """The parts of a client import neither the client nor its session."""
        found = imports()
        for name in ("answers", "hooks", "inbox", "milestone", "pages", "progress", "resume"):
            self.assertEqual(reachable(found, name) & {"client", "factory", "session"}, set(), name)
