"""Completion in shells."""

import argparse
import os
import shlex
import shutil
import subprocess

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from chatd.cli.main import _parser
from chatd.cli.shells import SHELLS
from chatd.cli.status import Status
from chatd.cli.syntax import commands_of
from tests.cli.wiring import CommandCase

COMMANDS = commands_of(_parser())
ASK = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_chatd
printf '%s\\n' "${COMPREPLY[@]}"
"""


class ScriptTests(CommandCase):
    def test_printed(self):
        """`completion` prints the script for a shell."""
        for shell, script in SHELLS.items():
            shown = self.run_command("completion", shell)
            self.assertEqual(shown, (Status.DONE, script(COMMANDS), ""))

    def test_options(self):
        """Each script has each command and each option."""
        for script in SHELLS.values():
            text = script(COMMANDS)
            for command in COMMANDS:
                self.assertIn(command.name, text)
                for option in command.options:
                    for name in option.names:
                        self.assertRegex(text, rf"(--?|-[ls] ){name.lstrip('-')}\b")

    def test_syntax(self):
        """Each installed shell can read its script, with any texts in it."""
        odd = argparse.ArgumentParser()
        commands = odd.add_subparsers()
        command = commands.add_parser("odd", help="it's [a] \\ $(b):c")
        command.add_argument("--odd", metavar="O:D'D", help='`it\'s` [a] "\\" $(b):c')
        for shell, script in SHELLS.items():
            if shutil.which(shell) is None:  # most machines have bash alone
                continue
            for commands_there in (COMMANDS, commands_of(odd)):
                path = self.directory / f"chatd.{shell}"
                path.write_text(script(commands_there))
                checked = subprocess.run(
                    [shell, "-n", path], capture_output=True, text=True, timeout=20, check=False
                )
                self.assertEqual((checked.returncode, checked.stderr), (0, ""))


class BashTests(CommandCase):
    """The script for bash, in bash; the command in it is a stand-in that lists two profiles."""

    def complete(self, *words):
        """Return the possible completions of the last word."""
        script = self.directory / "script"
        script.write_text(SHELLS["bash"](COMMANDS))
        command = self.directory / "chatd"
        command.write_text("#!/bin/sh\ntest $1 = profiles && echo work tcp:a:1 && echo home x:y\n")
        command.chmod(0o755)
        completed = subprocess.run(
            ["bash", "--norc", "-c", ASK, "bash", script, "chatd", *words],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
            cwd=self.directory,
            env={"PATH": f"{self.directory}{os.pathsep}{os.environ['PATH']}"},
        )
        self.assertEqual(completed.stderr, "")
        return completed.stdout.split()

    def test_commands(self):
        """The first word is a command or an option of the program."""
        self.assertEqual(self.complete("c"), ["connect", "completion"])
        self.assertEqual(self.complete("--v"), ["--version"])

    def test_options(self):
        """After a command come its options."""
        self.assertEqual(self.complete("connect", "--re"), ["--reconnect"])
        self.assertEqual(self.complete("keygen", "--re"), [])

    def test_profiles(self):
        """The endpoint may be a profile."""
        self.assertEqual(self.complete("connect", "w"), ["work"])
        self.assertIn("home", self.complete("connect", "--json", ""))

    def test_one_profile(self):
        """After a profile comes no other; the values of options are no arguments."""
        for words in (["work"], ["--json", "work"], ["work", "--name", "al"]):
            self.assertEqual(self.complete("connect", *words, ""), [], words)
        for words in (["--name", "al"], ["--name", "=", "al"]):
            self.assertEqual(self.complete("connect", *words, ""), ["work", "home"], words)

    def test_options_after_a_hyphen(self):
        """Options come after a hyphen alone."""
        self.assertEqual(self.complete("connect", ""), ["work", "home"])
        self.assertIn("--json", self.complete("connect", "-"))
        self.assertNotIn("work", self.complete("connect", "-"))

    def test_options_that_exclude_each_other(self):
        """An option does not come after an option that it does not go with."""
        options = self.complete("connect", "--json", "--")
        self.assertNotIn("--quiet", options)
        self.assertLess({"--json", "--file", "--follow"}, set(options))
        self.assertNotIn("--json", self.complete("connect", "--quiet", "work", "--"))
        self.assertNotIn("--follow", self.complete("connect", "--file", "script", "--"))

    def test_values(self):
        """The value of an option is a file or nothing; that of an argument may be a choice."""
        self.assertEqual(self.complete("connect", "--key-file", "sc"), ["script"])
        self.assertEqual(self.complete("connect", "--key-file", "=", "sc"), ["script"])
        self.assertEqual(self.complete("connect", "--name", ""), [])
        self.assertEqual(self.complete("keygen", "sc"), ["script"])
        self.assertEqual(self.complete("manual", "chatd"), ["chatd.1", "chatd.8"])


class FishTests(CommandCase):
    """The script for fish, in fish, where it is installed."""

    def complete(self, line):
        """Return the possible completions of the last word of a line."""
        if shutil.which("fish") is None:
            raise SkipTest("fish is not installed")
        script = self.directory / "script"
        script.write_text(SHELLS["fish"](COMMANDS))
        command = self.directory / "chatd"
        command.write_text("#!/bin/sh\ntest $1 = profiles && echo work tcp:a:1 && echo home x:y\n")
        command.chmod(0o755)
        completed = subprocess.run(
            ["fish", "--no-config", "-c", f"source {script}; complete -C {shlex.quote(line)}"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
            cwd=self.directory,
            env={
                "PATH": f"{self.directory}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(self.directory),
            },
        )
        return [each.split("\t")[0] for each in completed.stdout.splitlines()]

    def test_one_profile(self):
        """After a profile comes no other; the values of options are no arguments."""
        self.assertCountEqual(self.complete("chatd connect "), ["work", "home"])
        self.assertCountEqual(self.complete("chatd connect --name al "), ["work", "home"])
        self.assertEqual(self.complete("chatd connect work "), [])
        self.assertEqual(self.complete("chatd connect --json work --name al "), [])

    def test_options_that_exclude_each_other(self):
        """An option does not come after an option that it does not go with."""
        self.assertIn("--quiet", self.complete("chatd connect --q"))
        self.assertEqual(self.complete("chatd connect --json --q"), [])


class ChoiceTests(SynchronousTestCase):
    def test_shells(self):
        """The argument of `completion` takes each shell that has a script."""
        (completion,) = [each for each in COMMANDS if each.name == "completion"]
        self.assertEqual(completion.positionals[0].choices, tuple(SHELLS))
