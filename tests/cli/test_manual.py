"""The manual pages."""

import argparse
import re
import shutil
import subprocess
from unittest import skipIf

from chatd.cli.aliases import ALIASES
from chatd.cli.commands import COMMANDS
from chatd.cli.keyhelp import TERMINAL_KEYS
from chatd.cli.main import _parser
from chatd.cli.manual import page_of
from chatd.cli.remembered import _FILES
from chatd.cli.status import MEANINGS, Status
from chatd.cli.syntax import PAGES, commands_of
from chatd.daemon.tap import Options
from tests.cli.wiring import CommandCase
from tests.docs.pages import first_cells, page, section

FILES = "docs/reference/files.md"


def section_of(text, title):
    """Return a section of a page without escapes and fonts."""
    section = text.split(f'.SH "{title}"\n')[1].split(".SH ")[0]
    return re.sub(r"\\f[BIR]|\\&", "", section).replace("\\-", "-")


class ManualTests(CommandCase):
    def setUp(self):
        super().setUp()
        self.commands = commands_of(_parser())
        self.client, self.daemon = (page_of(name, self.commands) for name in PAGES)

    def test_printed(self):
        """`manual` prints a page."""
        for name in PAGES:
            shown = self.run_command("manual", name)
            self.assertEqual(shown, (Status.DONE, page_of(name, self.commands), ""))

    def test_client(self):
        """chatd(1) has each command with each of its options, and no others."""
        for command in self.commands:
            title = f"CHATD {command.name.upper()}" if command.name else "OPTIONS"
            section = section_of(self.client, title)
            listed = re.findall(r"(?m)^\.TP\n(.*)$", section)
            names = re.findall(r"(?<!\S)(--?[a-z-]+)", " ".join(listed))
            self.assertEqual(
                sorted(names), sorted(name for each in command.options for name in each.names)
            )
            for each in command.arguments:
                self.assertIn(each.help, " ".join(section.split("\n")))

    def test_typed_commands(self):
        """chatd(1) has each command of the terminal, with its text."""
        section = " ".join(section_of(self.client, "COMMANDS AT A TERMINAL").split())
        for name, command in COMMANDS.items():
            typed = f"/{name} {command.arguments}".rstrip()
            self.assertIn(f".TP {typed} {command.help}", section)
            text = section.split(f".TP {typed} {command.help}")[1].split(".TP")[0]
            short = re.findall(r"(?<=[ ,])/(\S+?)(?=,|$| )", text)
            self.assertEqual(short, [each for each, full in ALIASES.items() if full == name])

    def test_keys(self):
        """chatd(1) has each key."""
        section = " ".join(section_of(self.client, "KEYS AT A TERMINAL").split())
        for key, does in TERMINAL_KEYS.items():
            self.assertIn(f".TP {key} {does}", section)

    def test_files(self):
        """The pages have each file that chatd keeps, and the modes of secrets."""
        client = section_of(self.client, "FILES")
        for word, _ in _FILES.values():
            self.assertIn(f"PROFILE.{word}.json", client)
        daemon = " ".join(section_of(self.daemon, "FILES").split())
        for names in first_cells(section(page(FILES), "Data directory")):
            for name in re.findall("`(.*?)`", names):
                self.assertIn(f"DIR/{name.rstrip('…')}", daemon)
        modes = re.findall(r"\b0[0-7]{3}\b", section(page(FILES), "Permissions of secrets"))
        for mode in modes:
            self.assertIn(mode, daemon)

    def test_environment(self):
        """chatd(1) has the variables that the client's page names."""
        environment = section_of(self.client, "ENVIRONMENT")
        for name in re.findall(r"[A-Z]+_[A-Z_]+", page("docs/reference/client.md")):
            self.assertIn(name, environment)

    def test_usage(self):
        """The synopsis marks an argument that may be missing."""
        parser = argparse.ArgumentParser()
        command = parser.add_subparsers().add_parser("talk", add_help=False)
        command.add_argument("to", metavar="TO")
        command.add_argument("level", metavar="LEVEL", nargs="?")
        synopsis = section_of(page_of("chatd.1", commands_of(parser)), "SYNOPSIS")
        self.assertEqual(synopsis, "chatd talk TO [LEVEL]\n")

    def test_exit_statuses(self):
        """chatd(1) has each exit status."""
        self.assertEqual(list(MEANINGS), list(Status))
        section = section_of(self.client, "EXIT STATUS")
        self.assertEqual(
            re.findall(r"(?m)^(\d+)$", section), [str(int(status)) for status in Status]
        )

    def test_daemon(self):
        """chatd(8) has each option of the daemon with its short form and its default."""
        section = section_of(self.daemon, "OPTIONS")
        listed = re.findall(r"(?m)^\.TP\n(.*)$", section)
        options = Options()
        self.assertEqual(
            sorted(re.findall(r"--([a-z-]+)", " ".join(listed))),
            sorted(name.rstrip("=") for name in options.longOpt),
        )
        self.assertEqual(
            re.findall(r"(?<!\S)-([a-z])", " ".join(listed)),
            sorted(options.shortOpt.replace(":", "")),
        )
        names = [each.split("--")[1].split()[0] for each in listed]
        self.assertEqual(names, sorted(names))
        text = " ".join(section.split("\n"))
        for name, default in options.defaults.items():
            if f"{name}=" in options.longOpt and default is not None:
                self.assertIn(" ".join(options.docs[name].split()), text)
                self.assertIn(f"[default: {default}", text)

    @skipIf(shutil.which("groff") is None, "needs groff")
    def test_warnings(self):
        """The typesetter reads the pages without a warning."""
        for text in (self.client, self.daemon):
            read = subprocess.run(
                ["groff", "-man", "-Tutf8", "-ww", "-z"],
                input=text,
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
            )
            self.assertEqual((read.returncode, read.stderr), (0, ""))
