"""Password files: accounts with argon2id hashes, which only the file's owner can read.

A file is UTF-8 text with one account a line, `name:hash`. Blank lines and lines that begin with
`#` stay unchanged. The hash is in the encoded form of argon2's reference implementation. It
includes its parameters, so each line can have its own::

    # the team
    alice:$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$aGFzaGFzaGFzaGFzaA

A name may hold colons; the hash holds none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from argon2 import PasswordHasher

from chatd.chat.names import GUEST, check_name, fold
from chatd.config.ownfile import read_trusted_file, strip_mark
from chatd.config.passwordhash import (
    MAX_PASSWORD,
    decoy,
    matches,
    parameters_of,
    secret_of,
)
from chatd.errors import ConfigurationError, RequestError

__all__ = [
    "MAX_PASSWORD",
    "FileAccount",
    "Passwords",
    "check_account",
    "load_passwords",
    "parse",
    "read_lines",
]

_WHAT = "password file"


@dataclass(frozen=True, slots=True)
class FileAccount:
    """An account in a file.

    Attributes:
        name: The name as the file spells it.
        hash: The hash of its password.
        line: The number of its line, from 1.
    """

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

    def __init__(self, accounts: dict[str, FileAccount], hasher: PasswordHasher) -> None:
        self._accounts = accounts
        self._decoy = decoy([account.hash for account in accounts.values()], hasher)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and fold(name) in self._accounts

    def __iter__(self) -> Iterator[str]:
        return (account.name for account in self._accounts.values())

    def __len__(self) -> int:
        return len(self._accounts)

    @property
    def hashes(self) -> dict[str, str]:
        """The hashes of the passwords, by the folded names."""
        return {name: account.hash for name, account in self._accounts.items()}

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
    lines, _ = read_lines(path)
    return Passwords(parse(path, lines), hasher or PasswordHasher())


def read_lines(path: str | Path) -> tuple[list[str], bytes]:
    """Return the lines of a file, and the byte order mark before them, if there is one."""
    data = read_trusted_file(path, _WHAT, is_secret=True, keep_mark=True)
    text = strip_mark(data, f"the {_WHAT} {path}")
    lines = []
    for number, line in enumerate(text.removesuffix(b"\n").split(b"\n") if text else [], 1):
        try:
            lines.append(line.decode())
        except UnicodeDecodeError:  # not chained: it holds the line
            raise ConfigurationError(f"{path}, line {number}: it is not UTF-8 text") from None
    return lines, data.removesuffix(text)


def parse(path: str | Path, lines: Iterable[str]) -> dict[str, FileAccount]:
    """Return the accounts by their folded names; no error repeats the text of a line."""
    accounts: dict[str, FileAccount] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, _, rest = text.rpartition(":$argon2id$")
        try:
            account = FileAccount(check_name(name), f"$argon2id${rest}", number)
            parameters_of(account.hash)
        except (RequestError, ValueError) as error:
            raise ConfigurationError(
                f"{path}, line {number}: not an account; delete the line, and make an account "
                "with: chatd passwd FILE NAME"
            ) from error
        first = accounts.setdefault(fold(account.name), account)
        if first is not account:
            raise ConfigurationError(
                f"{path}, line {number}: the account is in line {first.line} already"
            )
    return accounts
