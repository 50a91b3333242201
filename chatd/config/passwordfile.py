"""Password files: accounts with argon2id hashes, which only the file's owner can read.

A file is UTF-8 text with one account a line, `name:hash`. Blank lines and lines that begin with
`#` are left as they are. The hash is in the encoded form of argon2's reference implementation. It
includes its parameters, so each line can have its own::

    # the team
    alice:$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$aGFzaGFzaGFzaGFzaA

A name may hold colons; the hash holds none.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from argon2 import PasswordHasher

from chatd.chat.names import GUEST, check_name, fold
from chatd.config.ownfile import read_trusted_file, replace_private_file, strip_mark, why
from chatd.config.passwordhash import (
    MAX_PASSWORD,
    check_password,
    decoy,
    hash_password,
    matches,
    parameters_of,
    secret_of,
)
from chatd.errors import ConfigurationError, RequestError

__all__ = [
    "MAX_PASSWORD",
    "Passwords",
    "change_password",
    "check_account",
    "delete_account",
    "load_passwords",
    "set_password",
]

_WHAT = "password file"


@dataclass(frozen=True, slots=True)
class _Account:
    name: str
    hash: str = field(repr=False)
    line: int


class Passwords(Collection[str]):
    """The accounts of a password file: a collection of their names, which can verify passwords.

    Names that count as the same are one account; see `chatd.chat.names.fold`. The collection never
    changes, so any thread may use it.

    Args:
        accounts: The accounts, by their folded names.
        hasher: Gives the parameters for a file without accounts.
    """

    __slots__ = ("_accounts", "_decoy")

    def __init__(self, accounts: dict[str, _Account], hasher: PasswordHasher) -> None:
        self._accounts = accounts
        self._decoy = decoy([account.hash for account in accounts.values()], hasher)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and fold(name) in self._accounts

    def __iter__(self) -> Iterator[str]:
        return (account.name for account in self._accounts.values())

    def __len__(self) -> int:
        return len(self._accounts)

    def verify(self, name: str, password: str) -> str | None:
        """Verify a password; an unknown name takes as long as a known name.

        It takes about 50 ms and 64 MiB with argon2-cffi's parameters, and holds no lock: call it
        in a thread.

        Returns:
            The name as the file spells it, or None if the name or the password is wrong.

        Raises:
            ConfigurationError: argon2 fails, for example for lack of memory.
        """
        account = self._accounts.get(fold(name))
        try:
            secret = secret_of(password)
        except ConfigurationError:  # no account has such a password
            return None
        is_right = matches(self._decoy if account is None else account.hash, secret)
        return account.name if account is not None and is_right else None


def check_account(name: str) -> str:
    """Return the name of an account in Unicode's composed form (NFC).

    Raises:
        ConfigurationError: The name is not a valid member's name, or begins with `#` or like a
            guest name: an account with such a name could never log in.
    """
    if name.startswith("#"):
        raise ConfigurationError("the name of an account cannot begin with #: that is a comment")
    try:
        name = check_name(name)
    except RequestError as error:
        raise ConfigurationError(error.message) from error
    if fold(name).startswith(GUEST):
        raise ConfigurationError(
            f"the name of an account cannot begin with {GUEST}: that is for guests"
        )
    return name


def load_passwords(path: str | Path, *, hasher: PasswordHasher | None = None) -> Passwords:
    """Read a password file.

    Args:
        path: The file.
        hasher: Gives the parameters for a file without accounts; argon2-cffi's by default.

    Raises:
        ConfigurationError: The file cannot be read, users other than its owner may read or write
            it, or a line is not an account.
    """
    lines, _ = _read_lines(path)
    return Passwords(_parse(path, lines), hasher or PasswordHasher())


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
    """The present password is another."""


def change_password(
    path: str | Path, name: str, old: str, new: str, *, hasher: PasswordHasher | None = None
) -> bool:
    """Set the password of an account whose present password somebody knows.

    The present password is that in the file, whatever was read from the file before. It takes twice
    as long as `Passwords.verify`.

    Args:
        path: The file, which changes as `set_password` changes it.
        name: The account.
        old: The present password.
        new: The new password.
        hasher: See `set_password`.

    Returns:
        Whether the password was changed; False if the account or the present password is wrong.

    Raises:
        ConfigurationError: The new password cannot be used, another program is changing a file in
            the directory, or one of the reasons of `set_password`. The file is unchanged.
    """
    check_password(new)
    try:
        with _edited(path, waits=False) as (lines, accounts):
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
        The name as the file spelled it, and how many accounts are left.

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
    path: str | Path, *, is_made: bool = False, waits: bool = True
) -> Iterator[tuple[list[str], dict[str, _Account]]]:
    """Give the lines and the accounts of a file to the code within; then write the lines.

    If the code within fails, the file is unchanged. No other chatd writes the file meanwhile.

    Args:
        path: The file.
        is_made: Whether to make the file if there is none.
        waits: Whether to wait while another program has locked the directory.
    """
    try:
        target = os.path.realpath(path)  # a link stays a link
        with _only_writer_in(os.path.dirname(target), waits=waits):
            status = os.stat(target) if os.path.exists(target) else None
            lines, mark = ([], b"") if is_made and status is None else _read_lines(path)
            yield lines, _parse(path, lines)
            text = "".join(f"{line}\n" for line in lines)
            replace_private_file(target, mark + text.encode(), status)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot write the {_WHAT} {path}: {why(error)}") from error


def _read_lines(path: str | Path) -> tuple[list[str], bytes]:
    """Return the lines of a file, and the byte order mark before them, if there is one."""
    data = read_trusted_file(path, _WHAT, is_secret=True, keep_mark=True)
    text = strip_mark(data, f"the {_WHAT} {path}")
    lines = []
    for number, line in enumerate(text.removesuffix(b"\n").split(b"\n") if text else [], 1):
        try:
            lines.append(line.decode())
        except UnicodeDecodeError:  # not chained: it holds the line
            raise ConfigurationError(f"{path}, line {number}: it is no UTF-8 text") from None
    return lines, data.removesuffix(text)


def _parse(path: str | Path, lines: Iterable[str]) -> dict[str, _Account]:
    """Return the accounts by their folded names; no error repeats the text of a line."""
    accounts: dict[str, _Account] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, _, rest = text.rpartition(":$argon2id$")
        try:
            account = _Account(check_name(name), f"$argon2id${rest}", number)
            parameters_of(account.hash)
        except (RequestError, ValueError) as error:
            raise ConfigurationError(
                f"{path}, line {number}: not an account; make one with: chatd passwd FILE NAME"
            ) from error
        first = accounts.setdefault(fold(account.name), account)
        if first is not account:
            raise ConfigurationError(
                f"{path}, line {number}: the account is in line {first.line} already"
            )
    return accounts


@contextmanager
def _only_writer_in(directory: str, *, waits: bool) -> Iterator[None]:
    """Lock a directory against other writers of its files; then sync its entries."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        except BlockingIOError:
            raise ConfigurationError(f"another program has locked {directory} now") from None
        except OSError:
            pass  # some file systems have no locks
        yield
        with suppress(OSError):  # some cannot sync a directory; the file is in place anyway
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
