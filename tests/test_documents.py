"""What README.md says of options, codes and examples is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import chatd
from chatd.cli.main import _parser
from chatd.cli.status import Status
from chatd.daemon.tap import Options
from chatd.errors import ErrorCode

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def _section(title: str) -> str:
    """Return the text of a section of the README."""
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def _first_cells(title: str) -> list[str]:
    """Return the first cell of each row of a section's tables."""
    rows = re.findall(r"^\| (.+?) \|", _section(title), re.MULTILINE)
    return [row for row in rows if row not in {"option", "code", "exit status"}]


class ReadmeTests(SynchronousTestCase):
    """The README's tables and programs."""

    def test_error_codes(self):
        """The table has every code, in the order of the enum."""
        self.assertEqual(_first_cells("Error codes"), [f"`{code.value}`" for code in ErrorCode])

    def test_daemon_options(self):
        """The table has every option of the daemon, and no other."""
        cells = [*_first_cells("Options of the daemon"), *_first_cells("Bounds")]
        listed = re.findall(r"`--([a-z-]+)", " ".join(cells))
        options = {name.rstrip("=") for name in Options().longOpt}
        self.assertEqual(sorted(listed), sorted(options))

    def test_daemon_defaults(self):
        """The defaults are the code's."""
        section = _section("Options of the daemon") + _section("Bounds")
        for default in re.findall(r"\[default:\s+(\S+)\]", " ".join(str(Options()).split())):
            self.assertIn(f"| {default} |", section.replace("`", ""))

    def test_client_options(self):
        """The table has every option of `chatd connect`, and no other."""
        listed = re.findall(r"`(--[a-z-]+)", " ".join(_first_cells("Options of the client")))
        connect = _parser()._subparsers._group_actions[0].choices["connect"]
        options = {name for name in connect._option_string_actions if name.startswith("--")}
        self.assertEqual({*listed, "--help"}, options)

    def test_exit_statuses(self):
        """The table has every exit status."""
        cells = _first_cells("Options of the client")
        listed = [int(cell) for cell in cells if cell.isdigit()]
        self.assertEqual(listed, [int(status) for status in Status])

    def test_programs_are_the_examples(self):
        """Every program in the README is part of an example, which a test runs."""
        examples = "\n".join(path.read_text() for path in (ROOT / "examples").glob("*.py"))
        programs = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
        self.assertGreater(len(programs), 5)
        for program in programs:
            self.assertIn(program, examples)

    def test_links(self):
        """Every file that the README links to is there."""
        for link in re.findall(r"\]\((?!http)([^)]+)\)", README):
            self.assertTrue((ROOT / link).exists(), link)


class PublicNamesTests(SynchronousTestCase):
    """The public names."""

    def test_all_is_true(self):
        """Every name in `__all__` is there and documented."""
        for name in chatd.__all__:
            self.assertTrue(getattr(chatd, name).__doc__, name)
