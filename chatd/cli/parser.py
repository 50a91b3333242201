"""`Parser`: parses the arguments of `chatd`, and reports mistakes in one line."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import Any, NoReturn

from chatd.cli.status import Status
from chatd.cli.streams import tell, write
from chatd.cli.syntax import Takes, commands_of
from chatd.config.optionnames import CommandLine, is_option, unrecognized
from chatd.config.suggestions import did_you_mean, similar

__all__ = ["Parser"]

_PASSWORD = "--password"
"""People write the password behind it; no error repeats that."""


class Parser(argparse.ArgumentParser):
    """The parser of the program, or of a command.

    Options and other arguments of a command may stand in any order. Long options cannot be
    shortened: a script would break when a later chatd has another option that begins the same.
    """

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401
        """Parse the arguments, after a check of the options.

        argparse reports a missing argument before an unknown option, and does not know that an
        argument behind an unknown option belongs to it. An option at the end that lacks its value
        would take one of the arguments, which follow the options here.
        """
        given = list(sys.argv[1:] if args is None else args)
        program, *commands = commands_of(self)
        takes_value = {
            name: each.takes is not Takes.NOTHING for each in program.options for name in each.names
        }
        if commands:  # the options behind a command's name are the command's
            end = next((at for at, each in enumerate(given) if not is_option(each)), len(given))
            self._check(CommandLine.of(given[:end], takes_value), takes_value)
            return super().parse_known_args(given, namespace)
        line = CommandLine.of(given, takes_value)
        self._check(line, takes_value)
        end_of_options = ["--"] if any(map(is_option, line.others)) else []
        return super().parse_known_args([*line.options, *end_of_options, *line.others], namespace)

    def _check(self, line: CommandLine, known: dict[str, bool]) -> None:
        """Report the mistakes in the options, unless the person asks for help."""
        if {"-h", "--help"} & {*line.options}:
            return
        if line.excess:
            self.error(f"{line.excess[0]} takes no value")
        if line.unknown and _PASSWORD in line.options:
            self.error(f"too many arguments, or an unrecognized option; {_PASSWORD} takes no value")
        if line.unknown:
            self.error(unrecognized(line.unknown, known))
        if line.lacking:
            self.error(f"argument {line.lacking[0]}: expected one argument")

    def _check_value(self, action: argparse.Action, value: Any) -> None:  # noqa: ANN401
        """Refuse an unknown command; argparse, which calls this, would list all of them."""
        if isinstance(action, argparse._SubParsersAction) and value not in action.choices:
            hint = did_you_mean(similar(value, action.choices))
            shown = shlex.quote(value) if value.isprintable() else repr(value)
            raise argparse.ArgumentError(None, f"unrecognized command {shown}{hint}")
        super()._check_value(action, value)

    def error(self, message: str) -> NoReturn:
        """Report a mistake in one line, and exit."""
        self.exit(Status.USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")

    def _print_message(self, message: str, file: Any = None) -> None:  # noqa: ANN401
        """Print help or an error; argparse itself does not report a failed write."""
        if file is not sys.stdout:
            write(sys.stderr, message)
        elif not tell(message, end=""):
            sys.exit(Status.LOST)
