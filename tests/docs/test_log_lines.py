"""The page on the log has each line that the daemon logs, and no others."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import chatd
from tests.docs.pages import fences, page

PAGE = page("docs/reference/log.md")
LEVELS = ("debug", "info", "warn", "error", "critical")
"""Levels of the daemon's lines. Failures have tracebacks: they are defects."""
CLIENTS = ("cli", "client")
"""Packages that are no part of the daemon."""
ANYTHING = {"{line}", "{l}", "{what}: {done}"}
"""Lines that are put together elsewhere; the tests of the operators and of SIGHUP have them."""
IN_VARIABLES = {
    ("backplane/redis/openrooms.py", "told"): "message {seq} of {stream} is left out: {error}",
    # What the hooks of a service forgot; its developer reads that.
    ("server/unanswered.py", "text"): None,
}
"""Texts that a call does not have itself; None for those that are not on the page."""
REMAINDERS = ["WHAT: read again"]
"""Lines of the page that the rest of the code composes."""


def text_of(node: ast.expr) -> str | None:
    """Return a text with its fields in braces; None for another expression."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        parts = [each.value if isinstance(each, ast.Constant) else "{}" for each in node.values]
        return "".join(map(str, parts))
    return None


def logged(package: Path) -> Iterator[str]:
    """Yield the text of each line that the modules of the daemon log."""
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package)
        if name.parts[0] in CLIENTS:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            where = ast.unparse(node.func.value)
            if node.func.attr in LEVELS and re.fullmatch(r"(self\.)?_?log", where):
                text = text_of(node.args[0])
                if text is None:
                    text = IN_VARIABLES[name.as_posix(), ast.unparse(node.args[0])]
                if text is not None and text not in ANYTHING:
                    yield text


def fits(text: str, told: str) -> bool:
    """Return whether a line of the page, which may leave out its end, is that of a text."""
    parts = re.split(r"\{[^}]*\}", text)
    if re.fullmatch(".+".join(map(re.escape, parts)), told):
        return True
    beginning, ellipsis, _ = told.partition("…")
    pattern = re.sub(r"[A-Z]{4,}", ".+", re.escape(beginning))
    return bool(ellipsis) and re.match(pattern, "X".join(parts)) is not None


class LogPageTests(SynchronousTestCase):
    """`docs/reference/log.md`."""

    def setUp(self) -> None:
        self.texts = list(logged(Path(chatd.__file__).parent))
        self.assertGreater(len(self.texts), 40)

    def test_complete(self) -> None:
        """It has each line of the daemon."""
        blocks = [line for each in fences(PAGE, "text") for line in each.splitlines()]
        prose = " ".join(re.sub("(?s)```.*?```", "", PAGE).split())
        told = [*blocks, *re.findall("`([^`]+)`", prose)]
        missing = [text for text in self.texts if not any(fits(text, each) for each in told)]
        self.assertEqual(missing, [])

    def test_no_others(self) -> None:
        """Its tables of lines have no line that the daemon does not log."""
        tables = re.findall(r"^\| line \| meaning \|\n.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
        lines = re.findall(r"^\| `([^`]+)`", "".join(tables), re.MULTILINE)
        self.assertGreater(len(lines), 30)
        stale = [each for each in lines if not any(fits(text, each) for text in self.texts)]
        self.assertEqual(stale, REMAINDERS)

    def test_fits(self) -> None:
        """A line of the page stands for the text with the same words alone."""
        for text, told, is_same in (
            ("the store failed: {error}", "the store failed: REASON", True),
            ("the store failed: {error}", "the shop failed: REASON", False),
            ("the store failed: {error}", "the store failed", False),
            ("{a} is open to {b}; make a key", "ENDPOINT is open to …", True),
            ("{a} is open to {b}; make a key", "ENDPOINT is shut to …", False),
            ("{a} is open", "…", True),
        ):
            self.assertIs(fits(text, told), is_same, (text, told))
