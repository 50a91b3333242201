"""The commands and options of an argparse parser, as values for completion and the manual."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

__all__ = ["PAGES", "Argument", "Command", "Takes", "commands_of"]

PAGES = ("chatd.1", "chatd.8")
"""The manual pages: of the command, and of the daemon."""


class Takes(Enum):
    """The kind of value that an option or an argument takes."""

    NOTHING = "nothing"
    TEXT = "text"
    FILE = "file"
    PROFILE = "profile"
    """An endpoint or the name of a profile."""
    CHOICE = "choice"


_KINDS = {"FILE": Takes.FILE, "PATH": Takes.FILE, "ENDPOINT": Takes.PROFILE}


@dataclass(frozen=True, slots=True)
class Argument:
    """An option, or an argument without a name.

    Attributes:
        names: The names of the option, such as `-h` and `--help`; empty for an argument.
        metavar: The name of its value; empty if it takes none.
        help: A short description.
        takes: The kind of its value.
        choices: The possible values, if there are few.
        excludes: The names of the options that it does not go with.
        is_repeatable: Whether it may be given several times.
        is_optional: Whether an argument without a name may be missing.
    """

    names: tuple[str, ...]
    metavar: str
    help: str
    takes: Takes
    choices: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    is_repeatable: bool = False
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A command, or the program without a command.

    Attributes:
        name: Its name; empty for the program.
        help: A short description.
        description: A longer description.
        arguments: Its options and arguments.
    """

    name: str
    help: str
    description: str
    arguments: tuple[Argument, ...]

    @property
    def options(self) -> tuple[Argument, ...]:
        """The options."""
        return tuple(each for each in self.arguments if each.names)

    @property
    def positionals(self) -> tuple[Argument, ...]:
        """The arguments without a name, in their order."""
        return tuple(each for each in self.arguments if not each.names)


def commands_of(parser: argparse.ArgumentParser) -> tuple[Command, ...]:
    """Return a program and its commands, the program first.

    Args:
        parser: The parser of the program. argparse has no public way to ask it.
    """
    found = [Command("", "", parser.description or "", tuple(_arguments(parser)))]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {each.dest: each.help or "" for each in action._get_subactions()}
            found += [
                Command(name, helps.get(name, ""), each.description or "", tuple(_arguments(each)))
                for name, each in action.choices.items()
            ]
    return tuple(found)


def _arguments(parser: argparse.ArgumentParser) -> Iterator[Argument]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            continue
        names, help = tuple(action.option_strings), action.help or ""
        if action.nargs == 0:
            yield Argument(names, "", help, Takes.NOTHING, excludes=_excluded(parser, action))
            continue
        choices = tuple(map(str, action.choices or ()))
        metavar = str(action.metavar or "|".join(choices) or action.dest.upper())
        takes = Takes.CHOICE if choices else _KINDS.get(metavar, Takes.TEXT)
        yield Argument(
            names,
            metavar,
            help,
            takes,
            choices,
            _excluded(parser, action),
            is_repeatable=isinstance(action, argparse._AppendAction),
            is_optional=action.nargs == argparse.OPTIONAL,
        )


def _excluded(parser: argparse.ArgumentParser, action: argparse.Action) -> tuple[str, ...]:
    """Return the names of the options that argparse refuses beside an option."""
    return tuple(
        name
        for group in parser._mutually_exclusive_groups
        if action in group._group_actions
        for other in group._group_actions
        if other is not action
        for name in other.option_strings
    )
