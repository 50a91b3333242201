"""The text of `/help`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

__all__ = ["GROUPS", "KEY_HELP", "Described", "command_help", "list_commands"]

GROUPS = {
    "rooms": ("join", "leave", "goto", "rooms", "who", "topic"),
    "messages": ("msg", "query", "say", "me", "history", "search"),
    "people": ("whois", "ignore", "unignore"),
    "you": ("away", "name", "password", "bell"),
    "operators": (
        *("kick", "ban", "unban", "bans"),
        *("private", "public", "invite", "uninvite", "invited"),
    ),
    "client": ("clear", "help", "quit"),
}
"""The commands by their groups, in the order of `/help`."""
KEY_HELP = "keys"
"""The word after `/help` that asks for the keys."""
_WIDTH = 70
"""Width of a line of `/help`, in columns: with its time, it fits a terminal of 80 columns."""
_BETWEEN = "   "


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
        """Further lines, or empty."""


def list_commands(commands: Mapping[str, Described]) -> list[str]:
    """Return the commands of each group with their arguments."""
    margin = max(map(len, GROUPS)) + 2
    lines: list[str] = []
    for group, names in GROUPS.items():
        line = f"{group:{margin}}"
        for name in names:
            usage = _usage(name, commands[name])
            if len(line) + len(usage) > _WIDTH:
                lines.append(line.rstrip())
                line = " " * margin
            line += usage + _BETWEEN
        lines.append(line.rstrip())
    return [
        *lines,
        f"/help COMMAND explains it, /help {KEY_HELP} the keys; //text sends /text",
    ]


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
    about = [command.help, *command.more.splitlines(), *also, *optional]
    return [_usage(name, command), *(f"  {line}" for line in about)]


def _usage(name: str, command: Described) -> str:
    return f"/{name} {command.arguments}".rstrip()
