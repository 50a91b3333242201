"""Commands in the sentences and tables of the pages: short, and with existing options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.main import _parser
from chatd.daemon.tap import Options
from tests.docs.pages import inline_codes, page, page_names

PAGES = sorted(set(page_names()) - {"docs/reference/protocol.md"})
"""The pages with commands; the texts and drawings of the protocol look like some."""
SUBCOMMANDS: Any = _parser()._subparsers._group_actions[0].choices


def commands(program: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the page and the words after the program of each inline command."""
    for name in PAGES:
        for code in inline_codes(page(name)):
            found = re.match(rf"(?:\S+/)?{program} ([a-z-].*)", code)
            if found is not None:
                yield f"{name}: {code}", found[1].split()


def options_in(words: list[str]) -> set[str]:
    """Return the long options among the words of a command."""
    return {word.partition("=")[0] for word in words if re.match("--[a-z]", word)}


class InlineTests(SynchronousTestCase):
    """Inline code that is a command."""

    def test_no_scripts(self) -> None:
        """A command that a reader types with others is a block, which a test can run."""
        for name in PAGES:
            for code in inline_codes(page(name)):
                self.assertIsNone(re.search(r" (&&|\|\|?|;|<|>) | \\$", code), f"{name}: {code}")
                self.assertIsNone(re.match(r"[A-Z]+=\S+ \S", code), f"{name}: {code}")

    def test_client(self) -> None:
        """Each `chatd` command has an existing subcommand, with existing options."""
        number = 0
        for where, (first, *rest) in commands("chatd"):
            if first.startswith("--"):
                self.assertIn(first, _parser()._option_string_actions, where)
                continue
            self.assertIn(first, SUBCOMMANDS, where)
            known = set(SUBCOMMANDS[first]._option_string_actions)
            self.assertEqual(options_in(rest) - known, set(), where)
            number += 1
        self.assertGreater(number, 10)

    def test_daemon(self) -> None:
        """Each option of chatd in a `twistd` command exists."""
        known = {f"--{name.rstrip('=')}" for name in Options().longOpt}
        number = 0
        for where, words in commands("twistd"):
            if "chatd" in words:
                after = words[words.index("chatd") + 1 :]
                self.assertEqual(options_in(after) - known, set(), where)
                number += 1
        self.assertGreater(number, 3)
