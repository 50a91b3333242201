"""The text of `/help`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

__all__ = ["Described", "command_help", "list_commands"]


class Described(Protocol):
    """A command with its description."""

    @property
    def arguments(self) -> str:
        """The arguments."""

    @property
    def help(self) -> str:
        """A short description."""

    @property
    def more(self) -> str:
        """Further sentences, or empty."""


def list_commands(commands: Mapping[str, Described]) -> list[str]:
    """Return a line for each command."""
    usages = {name: _usage(name, command) for name, command in commands.items()}
    width = max(map(len, usages.values()), default=0)
    lines = [f"{usages[name]:{width}} {command.help}" for name, command in commands.items()]
    return [*lines, f"{'//text':{width}} send /text as a message"]


def command_help(
    name: str, commands: Mapping[str, Described], aliases: Mapping[str, str]
) -> list[str]:
    """Return the lines that explain a command.

    Args:
        name: The command's full name.
        commands: All commands.
        aliases: The full name of each short name.
    """
    command = commands[name]
    short = [f"/{each}" for each, full in aliases.items() if full == name]
    also = [f"short: {', '.join(short)}"] if short else []
    optional = ["arguments in brackets may be left out"] if "[" in command.arguments else []
    about = [command.help, *filter(None, [command.more]), *also, *optional]
    return [_usage(name, command), *(f"  {line}" for line in about)]


def _usage(name: str, command: Described) -> str:
    return f"/{name} {command.arguments}".rstrip()
