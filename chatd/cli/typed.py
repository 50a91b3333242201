"""How a typed line is read: as a command, or as a message."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ACTION", "TypedCommand", "action_in", "command_in", "is_path", "message_in"]

ACTION = "/me "
"""Begins the text of a message about an act of its sender (XEP-0245)."""


class TypedCommand(NamedTuple):
    """A typed command.

    Attributes:
        typed: The command's name as typed.
        rest: The text after the name.
    """

    typed: str
    rest: str

    @property
    def name(self) -> str:
        """The name in small letters."""
        return self.typed.casefold()


def is_path(line: str) -> bool:
    """Return whether a line begins with a path such as `/etc/hosts`: its first word has a slash.

    Two slashes at the beginning escape a message, and begin no path.
    """
    first = line.split(maxsplit=1)[:1]
    return line.startswith("/") and not line.startswith("//") and "/" in first[0][1:]


def command_in(line: str) -> TypedCommand | None:
    """Return the command in a line; None if the line is a message.

    A command begins with one slash, and its name has no other.
    """
    if not line.startswith("/") or line.startswith("//") or is_path(line):
        return None
    name, *rest = line[1:].split(maxsplit=1) if line[1:2].strip() else ["", line[1:].strip()]
    return TypedCommand(name, rest[0] if rest else "")


def message_in(line: str) -> str:
    """Return the message that a line without a command sends."""
    return line.removeprefix("/") if line.startswith("//") else line


def action_in(text: str) -> str | None:
    """Return the act of a message's sender, such as `waves`; None if the text has no act.

    The text form is that of XEP-0245, The /me Command, section 2.
    """
    return text.removeprefix(ACTION) if text.startswith(ACTION) else None
