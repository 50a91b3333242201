"""`chatd passwd`: sets the password of an account in a password file."""

from __future__ import annotations

import argparse
import os

from chatd.cli.display import plain
from chatd.cli.login import ask_unseen
from chatd.cli.status import Status
from chatd.cli.streams import tell
from chatd.config.ownfile import strip_mark, why
from chatd.errors import ConfigurationError

__all__ = ["passwd"]

_MAX_LINE = 64 * 1024
"""Length of the longest line read from a pipe, in bytes; more than any password has."""


def passwd(options: argparse.Namespace) -> Status:
    """Ask for a password, twice at a terminal, and set it.

    Args:
        options: The `file`, and the `name` of the account.

    Raises:
        ConfigurationError: The file, the name or the password cannot be used.
    """
    # Imported here: argon2 would slow the start of the other commands.
    from chatd.config.passwordfile import check_account, load_passwords, set_password  # noqa: PLC0415

    name = check_account(options.name)
    is_new_file = not os.path.exists(options.file)
    accounts = () if is_new_file else load_passwords(options.file)
    password = _ask(name) if os.isatty(0) else _read_line()
    is_new = name not in accounts
    name = set_password(options.file, name, password)
    done = f"added {name} to" if is_new else f"changed the password of {name} in"
    advice = "; give it to the server with --password-file" if is_new_file else ""
    tell(plain(f"{done} {options.file}{advice}"))
    return Status.DONE


def _ask(name: str) -> str:
    try:
        password = ask_unseen(f"Password for {plain(name)}: ")
        if password and ask_unseen("Repeat the password: ") != password:
            raise ConfigurationError("the two passwords differ; nothing was changed")
    except EOFError as error:
        raise ConfigurationError("no password was given; nothing was changed") from error
    return password


def _read_line() -> str:
    """Return the first line of standard input, without its line end."""
    try:
        # Not sys.stdin, which is None if standard input was closed.
        with open(0, "rb", closefd=False) as source:
            line = source.readline(_MAX_LINE)
    except OSError as error:
        raise ConfigurationError(f"cannot read a password: {why(error)}") from error
    line = strip_mark(line, "standard input")
    try:
        return line.removesuffix(b"\n").removesuffix(b"\r").decode()
    except UnicodeDecodeError:  # not chained: the error holds the password
        raise ConfigurationError("the password is not UTF-8 text") from None
