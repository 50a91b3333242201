"""`chatd passwd`: sets passwords in a password file, and deletes and lists its accounts."""

from __future__ import annotations

import argparse
import os

from chatd.cli.login import ask_unseen, only_line
from chatd.cli.printable import plain
from chatd.cli.status import Status
from chatd.cli.streams import tell
from chatd.config.ownfile import strip_mark, why
from chatd.errors import ConfigurationError

__all__ = ["passwd"]

_MAX_INPUT = 64 * 1024
"""How much is read from a pipe, in bytes; more than any password has."""


def passwd(options: argparse.Namespace) -> Status:
    """Set the password of an account, or delete an account, or list the accounts.

    Args:
        options: The `file`; the `name` of the account, or None; and whether to `delete` the account
            or to `list` all.

    Raises:
        ConfigurationError: The file, the name or the password cannot be used.
    """
    if options.list:
        return _list(options.file)
    if options.delete:
        return _delete(options.file, options.name)
    return _set(options.file, options.name)


# argon2 is imported in the functions: it would slow the start of the other commands.


def _set(file: str, name: str) -> Status:
    """Ask for a password, twice at a terminal, and set it."""
    from chatd.config.passwordedit import set_password  # noqa: PLC0415
    from chatd.config.passwordfile import check_account, load_passwords  # noqa: PLC0415

    name = check_account(name)
    is_new_file = not os.path.exists(file)
    accounts = () if is_new_file else load_passwords(file)
    password = _ask(name) if os.isatty(0) else _read_line()
    is_new = name not in accounts
    name = set_password(file, name, password)
    done = f"added {name} to" if is_new else f"changed the password of {name} in"
    advice = "; give it to the server with --password-file" if is_new_file else ""
    tell(plain(f"{done} {file}{advice}"))
    return Status.DONE


def _delete(file: str, name: str) -> Status:
    from chatd.config.passwordedit import delete_account  # noqa: PLC0415

    name, left = delete_account(file, name)
    advice = "" if left else "; no account is left, and a running server keeps those that it has"
    tell(plain(f"deleted {name} from {file}{advice}"))
    return Status.DONE


def _list(file: str) -> Status:
    from chatd.config.passwordfile import load_passwords  # noqa: PLC0415

    names = sorted(load_passwords(file))
    is_told = not names or tell("\n".join(map(plain, names)))
    return Status.DONE if is_told else Status.LOST


def _ask(name: str) -> str:
    try:
        password = ask_unseen(f"Password for {plain(name)}: ")
        if password and ask_unseen("Repeat the password: ") != password:
            raise ConfigurationError("the two passwords differ; nothing was changed")
    except EOFError as error:
        raise ConfigurationError("no password was given; nothing was changed") from error
    return password


def _read_line() -> str:
    """Return the only line of standard input, without its line end."""
    try:
        # Not sys.stdin, which is None if standard input was closed.
        with open(0, "rb", closefd=False) as source:
            data = source.read(_MAX_INPUT)
    except OSError as error:
        raise ConfigurationError(f"cannot read a password: {why(error)}") from error
    return only_line(strip_mark(data, "standard input"), "standard input")
