"""The page on the API shows each docstring whole, and no method that only chatd calls."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

import chatd
import chatd.public
import chatd.testing

CONF = Path(__file__).parents[2] / "docs" / "conf.py"
RESULTS = ("Returns:", "Yields:")
FOR_USERS = {
    # Attributes and waits
    *("gaps", "is_active", "max_content", "session_id", "when_ended", "when_established"),
    # Messages
    *("disconnect", "ping", "reply", "send", "send_message", "when_ready_to_send"),
    # Commands
    *("away", "ban", "bans", "change_password", "command", "conversations", "history"),
    *("history_pages", "invite", "invited", "join", "kick", "leave", "list_rooms", "make_private"),
    *("make_public", "people", "rename", "topic", "unban", "uninvite", "who"),
    # Hooks, and the end
    *("abort", "ended", "error_received", "established", "event_received"),
    *("message_received", "messages_held", "messages_missed", "messages_released", "room_joined"),
}
"""What the page lists of a client."""


def public_classes() -> set[str]:
    """Return the names of the public classes, and of chatd's classes below them."""
    public = [getattr(chatd.public, name) for name in chatd.public.__all__]
    public += [getattr(chatd.testing, name) for name in chatd.testing.__all__]
    return {
        f"{each.__module__}.{each.__name__}"
        for thing in public
        for each in (inspect.getmro(thing) if isinstance(thing, type) else [thing])
        if getattr(each, "__module__", "").startswith("chatd") and hasattr(each, "__name__")
    }


def first_lines(node: ast.AST) -> Iterator[str]:
    """Yield the lines before whose colon Sphinx sees a type: of results, and of attributes."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        lines = (ast.get_docstring(node) or "").splitlines()
        if any("property" in ast.unparse(each) for each in node.decorator_list):
            yield lines[0]
        yield from (lines[n + 1].strip() for n, line in enumerate(lines) if line in RESULTS)
    elif isinstance(node, ast.ClassDef):
        for before, text in zip(node.body, node.body[1:], strict=False):
            if isinstance(before, ast.Assign | ast.AnnAssign) and isinstance(text, ast.Expr):
                yield ast.literal_eval(text.value).splitlines()[0]


def splits(line: str) -> bool:
    """Return whether Sphinx would take a part of a line for a type."""
    return re.search("(?<!:):(?!:)", re.sub("``.+?``", "", line)) is not None


class DocstringTests(SynchronousTestCase):
    """No docstring of the page is split at a colon."""

    def test_colons(self) -> None:
        """Neither a result nor an attribute has a colon in its first line."""
        wrong, seen = [], 0
        for name in sorted(public_classes()):
            module, _, thing = name.rpartition(".")
            spec: Any = importlib.util.find_spec(module)
            tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
            for node in tree.body:
                if getattr(node, "name", None) == thing:
                    lines = [line for each in ast.walk(node) for line in first_lines(each)]
                    seen += len(lines)
                    wrong += [f"{name}: {line}" for line in lines if splits(line)]
        self.assertEqual(wrong, [])
        self.assertGreater(seen, 50)

    def test_splits(self) -> None:
        """A colon splits, unless it is in code or doubled."""
        self.assertTrue(splits("Reserved: no meaning"))
        self.assertTrue(splits("the endpoint `tcp:1`"))
        self.assertFalse(splits("the ``unix:`` endpoint, as::"))


class InternalsTests(SynchronousTestCase):
    """The page leaves out what only chatd calls."""

    def conf(self) -> ModuleType:
        """Return the settings of the site."""
        if importlib.util.find_spec("sphinx") is None:
            raise SkipTest("Sphinx is not installed")
        spec: Any = importlib.util.spec_from_file_location("conf", CONF)
        conf = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(conf)
        return conf

    def listed(self, described: type) -> set[str]:
        """Return the names that the page lists of a class, beside those of Twisted."""
        conf: Any = self.conf()
        names = set()
        for name in dir(described):
            member = inspect.getattr_static(described, name)
            function = member.fget if isinstance(member, property) else member
            is_own = str(getattr(function, "__module__", "")).startswith("chatd.")
            if name.startswith("_") or not is_own or not callable(function):
                continue
            if not conf.skip_internals(None, "class", name, member, False, None):
                names.add(name)
        return names

    def test_client(self) -> None:
        """A client has methods for programs, and neither callbacks nor parts of chatd."""
        self.assertEqual(self.listed(chatd.ChatClient), FOR_USERS)

    def test_factories(self) -> None:
        """So has a factory; others of the same name are listed."""
        self.assertEqual(self.listed(chatd.ChatClientFactory), set())
        self.assertNotIn("startFactory", self.listed(chatd.ChatFactory))
        self.assertIn("publish", self.listed(chatd.ChatFactory))
        self.assertIn("add", self.listed(chatd.Bans))
