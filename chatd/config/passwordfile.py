"""Password files: accounts with argon2id hashes, which only the file's owner can read.

A file is UTF-8 text with one account a line, `name:hash`. Blank lines and lines that begin with
`#` are left as they are. The hash is in the encoded form of argon2's reference implementation. It
includes its parameters, so each line can have its own::

    # the team
    alice:$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$aGFzaGFzaGFzaGFzaA

A name may hold colons; the hash holds none.
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
import secrets
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import HashingError, VerificationError, VerifyMismatchError

from chatd.chat.names import GUEST, check_name, fold
from chatd.config.ownfile import read_trusted_file, replace_private_file, strip_mark, why
from chatd.errors import ConfigurationError, RequestError

__all__ = ["MAX_PASSWORD", "Passwords", "check_account", "load_passwords", "set_password"]

MAX_PASSWORD = 1024
"""Longest password, in bytes of UTF-8; a client's first frame, which holds it, is limited."""

_WHAT = "password file"
_HASH = re.compile(
    r"(\$argon2id\$v=19\$m=([1-9][0-9]{0,9}),t=([1-9][0-9]{0,9}),p=([1-9][0-9]{0,7})\$)"
    r"([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)"
)
# Sources: RFC 9106 section 3.1 for the hash and the memory; the reference implementation for the
# salt.
_MIN_SALT_BYTES = 8
_MIN_HASH_BYTES = 4
_MIN_KIB_PER_LANE = 8


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
        self._decoy = _decoy([account.hash for account in accounts.values()], hasher)

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
            secret = _secret(password)
        except ConfigurationError:  # no account has such a password
            return None
        is_right = _matches(self._decoy if account is None else account.hash, secret)
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
    secret = _secret(password)
    if not secret:
        raise ConfigurationError("a password cannot be empty")
    try:
        encoded = (hasher or PasswordHasher()).hash(secret)
    except HashingError as error:
        raise ConfigurationError(f"cannot hash a password: {error}") from error
    try:
        target = os.path.realpath(path)  # a link stays a link
        with _only_writer_in(os.path.dirname(target)):
            status = os.stat(target) if os.path.exists(target) else None
            lines, mark = ([], b"") if status is None else _read_lines(path)
            account = _parse(path, lines).get(fold(name))
            if account is None:
                lines.append(f"{name}:{encoded}")
            else:
                name = account.name
                lines[account.line - 1] = f"{name}:{encoded}"
            text = "".join(f"{line}\n" for line in lines)
            replace_private_file(target, mark + text.encode(), status)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot write the {_WHAT} {path}: {why(error)}") from error
    return name


def _secret(password: str) -> bytes:
    """Return the bytes of a password that are hashed."""
    try:
        if len(password.encode()) <= MAX_PASSWORD:  # composing a longer text takes time
            return unicodedata.normalize("NFC", password).encode()
    except UnicodeEncodeError:
        # Not chained: that error holds the password.
        raise ConfigurationError("a password is text in UTF-8") from None
    raise ConfigurationError(f"a password has up to {MAX_PASSWORD} bytes")


def _matches(encoded: str, secret: bytes) -> bool:
    """Return whether a hash is that of a password; argon2 compares in constant time."""
    try:
        return PasswordHasher().verify(encoded, secret)
    except VerifyMismatchError:
        return False
    except VerificationError as error:
        raise ConfigurationError(f"cannot verify a password: {error}") from error


def _decoy(hashes: Iterable[str], hasher: PasswordHasher) -> str:
    """Return a hash that matches no password, and takes as long to verify as most others do."""
    usual = Counter(_parameters(encoded) for encoded in hashes).most_common(1)
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    prefix = usual[0][0] if usual else f"$argon2id$v=19${costs}$"
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, 32)
    )
    return f"{prefix}{salt}${digest}"


def _parameters(encoded: str) -> str:
    """Return the beginning of a hash: the version and the costs.

    Raises:
        ValueError: The text is not an argon2id hash, or nothing can match it.
    """
    match = _HASH.fullmatch(encoded)
    if match is None:
        raise ValueError("no argon2id hash")
    prefix, memory_kib, _, lanes, salt, digest = match.groups()
    for text, min_bytes in ((salt, _MIN_SALT_BYTES), (digest, _MIN_HASH_BYTES)):
        if len(base64.b64decode(text + "=" * (-len(text) % 4))) < min_bytes:
            raise ValueError("cut short")
    if int(memory_kib) < _MIN_KIB_PER_LANE * int(lanes):
        raise ValueError("too little memory")
    return prefix


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
            _parameters(account.hash)
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
def _only_writer_in(directory: str) -> Iterator[None]:
    """Lock a directory against other writers of its files; then sync its entries."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # some file systems have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        with suppress(OSError):  # some cannot sync a directory; the file is in place anyway
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
