"""Tests that the tables, links and programs in the documents agree with the code."""

from __future__ import annotations

import ast
import inspect
import re
import signal

from twisted.trial.unittest import SynchronousTestCase

import chatd
from chatd import testing
from chatd.chat.access import MAX_INVITED, MAX_PRIVATE_ROOMS
from chatd.cli.aliases import ALIASES
from chatd.cli.browsing import FIRST_PAGE
from chatd.cli.commands import COMMANDS
from chatd.cli.display import MAX_SHOWN_BYTES
from chatd.cli.keyhelp import TERMINAL_KEYS
from chatd.cli.main import _parser
from chatd.cli.manualtexts import DAEMON_ENDS, DAEMON_SIGNALS, DAEMON_VALUES
from chatd.cli.places import Place, Unread
from chatd.cli.profiles import KEYS
from chatd.cli.searching import MAX_FOUND, MAX_SEARCHED, MAX_SEARCHED_BYTES
from chatd.cli.status import MEANINGS, Status
from chatd.cli.statusline import Standing, status_line
from chatd.daemon.tap import Options
from chatd.daemon.values import DAY_S
from chatd.errors import ErrorCode
from chatd.server.limits import Limits
from chatd.server.logpace import LINES_AT_ONCE, LINES_PER_SECOND
from chatd.storage.memory import MAX_BYTES, MAX_STREAMS, MEMORY_RETENTION
from chatd.storage.sqlite.store import SQLITE_RETENTION
from tests.docs.pages import (
    ROOT,
    anchors,
    fences,
    first_cells,
    links,
    page,
    page_names,
    section,
)

DAEMON = page("docs/reference/daemon.md")
BOUNDS = page("docs/reference/bounds.md")
CLIENT = page("docs/reference/client.md")
TERMINAL = page("docs/reference/terminal.md")
CODES = page("docs/reference/codes.md")
DELIVERY = page("docs/explanation/delivery.md")
DESIGN = page("docs/explanation/design.md")
API = page("docs/reference/api.md")


def _rows_of_layers() -> list[set[str]]:
    """Return the rows of `tests/test_layers.py`, which defines the layers."""
    tree = ast.parse(page("tests/test_layers.py"))
    (rows,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ROWS"
    )
    return ast.literal_eval(rows)


def _subcommands():
    return _parser()._subparsers._group_actions[0].choices


class DaemonTests(SynchronousTestCase):
    """The pages of the daemon's options and limits."""

    def test_options(self) -> None:
        """The two tables have each option of the daemon once, and no others."""
        cells = [*first_cells(section(DAEMON, "Options")), *first_cells(BOUNDS)]
        listed = re.findall(r"`--([a-z-]+)", " ".join(cells))
        options = {name.rstrip("=") for name in Options().longOpt}
        self.assertEqual(sorted(listed), sorted(options))

    def test_bounds(self) -> None:
        """The fields of `Limits` are in the table of limits, not in that of other options."""
        bounds = " ".join(first_cells(BOUNDS))
        for name in Limits.__dataclass_fields__:
            self.assertIn(f"`--{name.removesuffix('_s').replace('_', '-')} ", bounds)

    def test_fixed_bounds(self) -> None:
        """The bounds that no option sets equal those of the code."""
        for what, number in (
            ("private rooms of the server", MAX_PRIVATE_ROOMS),
            ("names invited to a private room", MAX_INVITED),
        ):
            self.assertIn(f"| {what} | {number:,} | `private-limit` |", BOUNDS)
        lines = f"{LINES_AT_ONCE:,}, and {LINES_PER_SECOND} more each second"
        what = "lines of the log about connections of one address without a session"
        self.assertIn(f"| {what} | {lines} |", BOUNDS)

    def test_defaults(self) -> None:
        """Each option's row has the default of the code."""
        rows = dict(re.findall(r"^\| .*?`--([a-z-]+).*? \|(.*)$", DAEMON + BOUNDS, re.MULTILINE))
        described = re.split(r" (?=(?:-\w, )?--)", " ".join(str(Options()).split()))
        defaults = 0
        for each in described:
            match = re.match(r"(?:-\w, )?--([a-z-]+)=.*\[default: (.+?)\]", each)
            if match is not None:
                defaults += 1
                self.assertIn(f"| {match[2]} |", rows[match[1]].replace("`", ""), match[1])
        self.assertGreater(defaults, 20)

    def test_exit_statuses(self) -> None:
        """The table has the shell's exit statuses for the signals that end the daemon."""
        listed = first_cells(section(DAEMON, "Exit status"))
        ends = [str(128 + number) for number in (signal.SIGINT, signal.SIGTERM)]
        self.assertEqual(listed, ["0", "1", *ends])
        rows = [f"| {status} | {meaning} |" for status, meaning in DAEMON_ENDS.items()]
        self.assertIn("\n".join(rows), section(DAEMON, "Exit status").replace("`", ""))

    def test_values(self) -> None:
        """Each option's row calls its value as the manual does."""
        rows = re.findall(r"^\| (`.*?`) \|", DAEMON + BOUNDS, re.MULTILINE)
        told = {
            name: value.replace("\\", "")
            for row in rows
            for name, value in re.findall(r"`(?:-\w`, `)?--([a-z-]+) ([^`]+)`", row)
        }
        values = {name: value for value, names in DAEMON_VALUES.items() for name in names}
        self.assertEqual(told, values)

    def test_signals(self) -> None:
        """The table has what the manual says of each signal."""
        rows = [f"| {name} | {does} |" for name, does in DAEMON_SIGNALS.items()]
        self.assertIn("\n".join(rows), section(DAEMON, "Signals").replace("`", ""))


class ClientTests(SynchronousTestCase):
    """The page of the `chatd` command."""

    def test_commands(self) -> None:
        """The table has each subcommand of `chatd`."""
        listed = re.findall(r"`chatd ([a-z]+)", " ".join(first_cells(section(CLIENT, "Commands"))))
        self.assertEqual(set(listed), set(_subcommands()))

    def test_options(self) -> None:
        """The table has each option of `chatd connect`, and no others."""
        listed = re.findall(r"`(--[a-z-]+)", " ".join(first_cells(section(CLIENT, "Options"))))
        options = _subcommands()["connect"]._option_string_actions
        self.assertEqual({*listed, "--help"}, {name for name in options if name.startswith("--")})

    def test_profiles(self) -> None:
        """The table has each key of a profile, and the example uses each."""
        text = section(CLIENT, "Profiles")
        self.assertEqual(first_cells(text), [f"`{key}`" for key in KEYS])
        (example,) = fences(text, "toml")
        self.assertEqual(re.findall(r"(?m)^(\w+) =", example), list(KEYS))

    def test_exit_statuses(self) -> None:
        """The table has each exit status."""
        rows = [f"| {int(status)} | {meaning} |" for status, meaning in MEANINGS.items()]
        listed = [line for line in section(CLIENT, "Exit status").splitlines() if "|" in line]
        self.assertEqual(listed[2:], rows)
        self.assertEqual(list(MEANINGS), list(Status))


class TerminalTests(SynchronousTestCase):
    """The page of the client at a terminal."""

    def test_typed_commands(self) -> None:
        """The table has each command of the terminal, in the order of `/help`."""
        cells = first_cells(section(TERMINAL, "Commands"))
        listed = [re.findall(r"^`/([a-z]+)", each) for each in cells]
        self.assertEqual(listed, [[name] for name in COMMANDS])

    def test_bounds(self) -> None:
        """The page has the size of a page of history, and the bounds of a search."""
        text = " ".join(TERMINAL.split())
        for bound in (
            f"{FIRST_PAGE} without N",
            f"After {MAX_FOUND} messages that it found, {MAX_SEARCHED:,} messages or "
            f"{MAX_SEARCHED_BYTES >> 20} MiB it stops",
            f"the first {MAX_SHOWN_BYTES >> 10} KiB",
        ):
            self.assertIn(bound, text)

    def test_keys(self) -> None:
        """`/help keys` has the keys of the table, in its order."""
        self.assertEqual(first_cells(section(TERMINAL, "Keys")), list(TERMINAL_KEYS))

    def test_short_names(self) -> None:
        """The table has each short name of a command."""
        rows = re.findall(r"^\| `/([a-z]+)` \| (.*) \|$", section(TERMINAL, "Short names"), re.M)
        listed = {short: name for name, cell in rows for short in re.findall(r"`/([^`]+)`", cell)}
        self.assertEqual(listed, ALIASES)

    def test_status_line(self) -> None:
        """The page shows the status line as the client does."""
        unread = [Unread(2, Place("ops"), 4, False), Unread(3, Place(None, "bob"), 1, True)]
        standing = Standing(
            endpoint="tcp:localhost:9999",
            protection="encrypted",
            is_connected=True,
            name="alice",
            place=(1, "lobby"),
            members=3,
            topic="tea at four",
            unread=unread,
        )
        self.assertIn(f"{status_line(standing, 100)}\n", fences(TERMINAL, "text"))


class CodesTests(SynchronousTestCase):
    """The page of the error codes."""

    def test_codes(self) -> None:
        """The table has each code, in the order of the enum."""
        self.assertEqual(first_cells(CODES), [f"`{code.value}`" for code in ErrorCode])


class DeliveryTests(SynchronousTestCase):
    """The limits of the stores, in the page on delivery."""

    def test_kept(self) -> None:
        """Each table has the limits of both stores."""
        memory, disk = (
            (f"{each.max_messages:,}", f"{each.max_bytes >> 20} MiB", f"{each.max_age_s / DAY_S:g}")
            for each in (MEMORY_RETENTION, SQLITE_RETENTION)
        )
        kept = "{} messages, {}, {} days".format
        self.assertIn(f"of each room | {kept(*memory)} | {kept(*disk)} |", DELIVERY)
        for row, on_disk, in_memory in zip(
            (
                "messages | `--keep-messages`",
                "bytes of content | `--keep-bytes`",
                "days | `--keep-days`",
            ),
            disk,
            memory,
            strict=True,
        ):
            self.assertIn(f"| {row} | {on_disk} | {in_memory} |", DELIVERY)
        self.assertIn(
            f"at most {MAX_STREAMS:,} rooms and pairs, and {MAX_BYTES >> 20} MiB",
            " ".join(DELIVERY.split()),
        )


class DesignTests(SynchronousTestCase):
    """The layers, in the page on the design."""

    def test_layers(self) -> None:
        """The table has all layers from the top down, with siblings in one row."""
        listed = [set(re.findall(r"`chatd/(\w+)", cell)) for cell in first_cells(DESIGN)]
        parts = {path.stem for path in (ROOT / "chatd").iterdir()}
        rows = [row & parts - {"__main__", "_version"} for row in _rows_of_layers()]
        self.assertEqual([row for row in listed if row], [row for row in rows if row])

    def test_names(self) -> None:
        """Each class and method in the page exists."""
        code = "\n".join(path.read_text("utf-8") for path in (ROOT / "chatd").rglob("*.py"))
        named = re.findall(r"`([A-Z][a-z]\w+)(?:\.(\w+))?`", DESIGN)
        self.assertGreater(len(named), 8)
        for cls, method in named:
            self.assertRegex(code, rf"\nclass {cls}\b", cls)
            self.assertRegex(code, rf" def {method}\b", method)


class ApiTests(SynchronousTestCase):
    """The public names."""

    def test_all_is_true(self) -> None:
        """Each name in `__all__` exists and has a docstring."""
        for name in chatd.__all__:
            self.assertTrue(getattr(chatd, name).__doc__, name)

    def test_reference(self) -> None:
        """The API reference has each public name once, and no others."""
        listed = re.findall(r"^\.\. auto(?:class|function|exception):: ([\w.]+)", API, re.MULTILINE)
        public = [*(f"chatd.{name}" for name in chatd.__all__ if name != "__version__")]
        public += [f"chatd.testing.{name}" for name in testing.__all__ if name != "Sockets"]
        self.assertEqual(sorted(listed), sorted(public))

    def test_arguments_are_typed(self) -> None:
        """No public function or method hides its arguments behind any keywords."""
        number = 0
        for module in (chatd, testing):
            for name in module.__all__:
                public = getattr(module, name)
                for method in vars(public).values() if isinstance(public, type) else [public]:
                    if inspect.isfunction(method) and not method.__name__.startswith("__init_sub"):
                        number += 1
                        for each in inspect.signature(method).parameters.values():
                            if each.kind is each.VAR_KEYWORD:
                                self.assertNotEqual(each.annotation, "Any", f"{name}: {method}")
        self.assertGreater(number, 100)

    def test_factory_options(self) -> None:
        """The typed options are the keyword arguments of the factory."""
        arguments = inspect.signature(chatd.ChatFactory).parameters.values()
        options = {
            each.name: each.annotation for each in arguments if each.kind is each.KEYWORD_ONLY
        }
        typed = chatd.FactoryOptions.__annotations__
        self.assertEqual({name: each.__forward_arg__ for name, each in typed.items()}, options)

    def test_errors_are_drawn(self) -> None:
        """Each public error is in the tree of the errors."""
        (drawing,) = [each for each in fences(API, "text") if "ChatError" in each]
        for name in chatd.__all__:
            if isinstance(getattr(chatd, name), type) and issubclass(
                getattr(chatd, name), chatd.ChatError
            ):
                self.assertIn(f" {name} ", f" {drawing} ".replace("\n", " "), name)


class PagesTests(SynchronousTestCase):
    """All pages: README, CONTRIBUTING, CHANGELOG, and the pages in docs/."""

    def test_links(self) -> None:
        """Each link leads to an existing file, and to an existing heading in it."""
        number = 0
        for name in page_names():
            for link in links(page(name)):
                if link.startswith(("http:", "https:")):
                    continue
                path, _, anchor = link.partition("#")
                there = (ROOT / name).parent / path if path else ROOT / name
                self.assertTrue(there.exists(), f"{name}: {link}")
                if anchor:
                    self.assertIn(anchor, anchors(there.read_text("utf-8")), f"{name}: {link}")
                number += 1
        self.assertGreater(number, 50)

    def test_named_paths(self) -> None:
        """Each path of a page in code or prose exists."""
        for path in [*ROOT.glob("*.md"), *ROOT.glob("*.cfg"), ROOT / ".ci/run"] + [
            path
            for folder in ("bench", "chatd", "docs", "examples", "tests")
            for path in (ROOT / folder).rglob("*")
            if path.suffix in {".py", ".md"}
        ]:
            if path.name == "CHANGELOG.md":  # CHANGELOG.md may name pages of the past
                continue
            for named in re.findall(r"\bdocs/[\w/-]+\.md\b", path.read_text("utf-8")):
                self.assertTrue((ROOT / named).exists(), f"{path}: {named}")

    def test_programs_are_the_examples(self) -> None:
        """Each program in a page is part of an example, which a test runs."""
        examples = "\n".join(path.read_text() for path in (ROOT / "examples").glob("*.py"))
        programs = [program for name in page_names() for program in fences(page(name), "python")]
        self.assertGreater(len(programs), 7)
        for program in programs:
            self.assertIn(program, examples)

    def test_two_clicks(self) -> None:
        """README links to each page of docs/."""
        linked = {link.partition("#")[0] for link in links(page("README.md"))}
        pages = {name for name in page_names() if name.startswith("docs/")} - {"docs/index.md"}
        self.assertEqual(pages - linked, set())

    def test_first_words(self) -> None:
        """The site begins with README's first words."""
        said = page("README.md").split("\n\n")[1]
        self.assertEqual(page("docs/index.md").split("\n\n")[1], said)

    def test_site(self) -> None:
        """The site's table of contents has each page, and no others."""
        listed = re.findall(
            r"(?m)^((?:tour|how-to|reference|explanation)/\S+)$", page("docs/index.md")
        )
        pages = {name[5:-3] for name in page_names() if name.startswith("docs/")} - {"index"}
        self.assertEqual(set(listed), pages)
