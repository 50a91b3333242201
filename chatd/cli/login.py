"""`Login`: the key, the name, the password and the rooms that a client connects with."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from chatd.cli.marks import Mark
from chatd.config.ownfile import read_trusted_file
from chatd.errors import ConfigurationError

__all__ = ["Login", "ask_password", "ask_unseen", "only_line", "read_password_file"]

_WHAT = "password file"
_MAX_FILE_BYTES = 4096


def _ignore(_: object) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """The key, the name, the password and the rooms that a client connects with.

    Attributes:
        key: The shared key, or None.
        name: The name to ask for; None for the server's choice.
        password: The password of that name, or None.
        password_from: The file that has the password, in words; empty if the person typed it.
        rooms: The rooms to join; empty for the server's choice.
        rooms_are_remembered: Whether they are those of the last time. Then the client goes on
            without a room that it cannot enter.
        current: The room that typed lines go to at first; None for the first of the rooms.
        rooms_changed: Called with all rooms of the client when it has joined or left some.
        current_changed: Called with the room that typed lines go to from now on.
        direct_shown: The ids of the last direct messages shown, by the folded names of the people.
        direct_changed: Called with such ids at the end of a session.
        rooms_shown: The last messages shown in rooms, by the folded names of the rooms.
        rooms_shown_changed: Called with such messages at the end of a session.
    """

    key: bytes | None = field(default=None, repr=False)
    name: str | None = None
    password: str | None = field(default=None, repr=False)
    password_from: str = ""
    rooms: tuple[str, ...] = ()
    rooms_are_remembered: bool = False
    current: str | None = None
    rooms_changed: Callable[[Sequence[str]], None] = _ignore
    current_changed: Callable[[str], None] = _ignore
    direct_shown: Mapping[str, str] = field(default_factory=dict)
    direct_changed: Callable[[Mapping[str, str]], None] = _ignore
    rooms_shown: Mapping[str, Mark] = field(default_factory=dict)
    rooms_shown_changed: Callable[[Mapping[str, Mark]], None] = _ignore


def read_password_file(path: str) -> str:
    """Return the password in a file, which is its only line.

    Raises:
        ConfigurationError: The file cannot be read, users other than its owner may read or write
            it, or it does not hold exactly one line of text. No error quotes the file.
    """
    data = read_trusted_file(path, _WHAT, is_secret=True, max_bytes=_MAX_FILE_BYTES)
    line = only_line(data, f"the {_WHAT} {path}")
    if not line or len(line.splitlines()) > 1:
        raise ConfigurationError(f"the {_WHAT} {path} must hold one line: the password")
    return line


def only_line(data: bytes, what: str) -> str:
    """Return the password in some bytes, which is their only line, without its line end.

    Args:
        data: The bytes, without a byte order mark.
        what: Names the source of the bytes in an error.

    Raises:
        ConfigurationError: There are several lines, or it is not text. No error quotes it.
    """
    line = data.removesuffix(b"\n").removesuffix(b"\r")
    if b"\n" in line:
        raise ConfigurationError(f"{what} must hold one line: the password")
    try:
        return line.decode()
    except UnicodeDecodeError:  # not chained: the error holds the password
        raise ConfigurationError(f"{what} is not UTF-8 text") from None


def ask_password(name: str) -> str:
    """Ask for a password at the terminal, without echo.

    Raises:
        ConfigurationError: There is no terminal, or no answer.
    """
    if not os.isatty(0):
        raise ConfigurationError("--password needs a terminal; without one, use --password-file")
    try:
        password = ask_unseen(f"Password for {name}: ")
    except EOFError as error:
        raise ConfigurationError("no password was given") from error
    if not password:
        raise ConfigurationError("no password was given")
    return password


def ask_unseen(prompt: str) -> str:
    """Ask for a line at the terminal, without echo.

    Raises:
        EOFError: There is no answer.
    """
    try:
        return getpass.getpass(prompt)
    except BaseException:  # a signal, too
        if os.isatty(2):
            with suppress(OSError):
                print(file=sys.stderr)  # the prompt's line has no end yet
        raise
