"""Changes of password files: one account at a time, as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from argon2 import PasswordHasher

from chatd.chat.names import fold
from chatd.config.filelock import only_writer_of
from chatd.config.ownfile import replace_private_file, why
from chatd.config.passwordfile import FileAccount, Passwords, check_account, parse, read_lines
from chatd.config.passwordhash import check_password, hash_password
from chatd.errors import ConfigurationError

__all__ = ["change_password", "delete_account", "set_password"]

_WHAT = "password file"
_WAIT_S = 10.0
"""How long a command waits for another program that changes the file, in seconds."""


def set_password(
    path: str | Path, name: str, password: str, *, hasher: PasswordHasher | None = None
) -> str:
    """Set the password of an account in a password file; make the file if there is none.

    The file is replaced as a whole or not at all; a file that cannot be replaced is overwritten,
    see `replace_private_file`. Its other lines, its byte order mark, its owner and its mode are
    kept; a new file has mode 0600.

    Args:
        path: The file.
        name: The account, which is added if the file does not have it.
        password: The new password, up to `MAX_PASSWORD` bytes in UTF-8. It is hashed in Unicode's
            composed form (NFC; RFC 8265 section 4.2.2), because keyboards differ.
        hasher: Makes the hash. By default it has argon2-cffi's parameters, the second choice of
            RFC 9106 section 4: 64 MiB, 3 passes, 4 lanes.

    Returns:
        The name as the file spells it.

    Raises:
        ConfigurationError: The name or the password cannot be used, the file cannot be read or
            written, users other than its owner may read or write it, or a line is not an account.
    """
    name = check_account(name)
    check_password(password)
    encoded = hash_password(password, hasher)
    with _edited(path, is_made=True) as (lines, accounts):
        account = accounts.get(fold(name))
        if account is None:
            lines.append(f"{name}:{encoded}")
            return name
        lines[account.line - 1] = f"{account.name}:{encoded}"
        return account.name


class _WrongPassword(Exception):
    """The given password is not the account's password."""


def change_password(
    path: str | Path, name: str, old: str, new: str, *, hasher: PasswordHasher | None = None
) -> bool:
    """Change the password of an account, if the present password is right.

    The file decides which password is the present one, not an earlier reading of the file. This
    takes twice as long as `Passwords.verify`.

    Args:
        path: The file, which changes as `set_password` changes it.
        name: The account.
        old: The present password.
        new: The new password.
        hasher: See `set_password`.

    Returns:
        Whether the password was changed; False if the account or the present password is wrong.

    Raises:
        ConfigurationError: The new password cannot be used, another program is changing the file,
            or one of the reasons of `set_password`. The file is unchanged.
    """
    check_password(new)
    try:
        with _edited(path, wait_s=0.0) as (lines, accounts):
            known = Passwords(accounts, hasher or PasswordHasher())
            if known.verify(name, old) is None:
                raise _WrongPassword
            account = accounts[fold(name)]
            lines[account.line - 1] = f"{account.name}:{hash_password(new, hasher)}"
    except _WrongPassword:
        return False
    return True


def delete_account(path: str | Path, name: str) -> tuple[str, int]:
    """Delete an account from a password file, which changes as `set_password` changes it.

    Args:
        path: The file.
        name: The account.

    Returns:
        The name as the file spelled it, and the number of remaining accounts.

    Raises:
        ConfigurationError: The file has no such account, or cannot be read or written; see
            `set_password`.
    """
    with _edited(path) as (lines, accounts):
        account = accounts.get(fold(name))
        if account is None:
            raise ConfigurationError(f"{path} has no account {name}")
        del lines[account.line - 1]
        return account.name, len(accounts) - 1


@contextmanager
def _edited(
    path: str | Path, *, is_made: bool = False, wait_s: float = _WAIT_S
) -> Iterator[tuple[list[str], dict[str, FileAccount]]]:
    """Give the lines and the accounts of a file to the code within; then write the lines.

    If the code within fails, the file is unchanged. No other chatd writes the file until then.

    Args:
        path: The file.
        is_made: Whether to make the file if there is none.
        wait_s: How long to wait while another program has locked the file, in seconds.
    """
    try:
        target = os.path.realpath(path)  # a link stays a link
        with only_writer_of(target, wait_s=wait_s):
            status = os.stat(target) if os.path.exists(target) else None
            lines, mark = ([], b"") if is_made and status is None else read_lines(path)
            yield lines, parse(path, lines)
            text = "".join(f"{line}\n" for line in lines)
            replace_private_file(target, mark + text.encode(), status)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot write the {_WHAT} {path}: {why(error)}") from error
