"""Passwords and their argon2id hashes."""

from __future__ import annotations

import base64
import re
import secrets
import unicodedata
from collections import Counter
from collections.abc import Iterable

from argon2 import PasswordHasher
from argon2.exceptions import HashingError, VerificationError, VerifyMismatchError

from chatd.errors import ConfigurationError

__all__ = [
    "MAX_PASSWORD",
    "check_password",
    "decoy",
    "hash_password",
    "matches",
    "parameters_of",
    "secret_of",
]

MAX_PASSWORD = 1024
"""Longest password, in bytes of UTF-8; a client's first frame, which holds it, is limited."""

_HASH = re.compile(
    r"(\$argon2id\$v=19\$m=([1-9][0-9]{0,9}),t=([1-9][0-9]{0,9}),p=([1-9][0-9]{0,7})\$)"
    r"([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)"
)
# Sources: RFC 9106 section 3.1 for the hash and the memory; the reference implementation for the
# salt.
_MIN_SALT_BYTES = 8
_MIN_HASH_BYTES = 4
_MIN_KIB_PER_LANE = 8


def check_password(password: str) -> None:
    """Check that an account may have a password.

    Raises:
        ConfigurationError: The password is empty, is longer than `MAX_PASSWORD` bytes, has a
            control character, or is not text.
    """
    if not secret_of(password):
        raise ConfigurationError("a password cannot be empty")
    # No prompt could take it: a terminal acts on control characters.
    if "Cc" in map(unicodedata.category, password):
        raise ConfigurationError("a password cannot have control characters, such as a tab")


def hash_password(password: str, hasher: PasswordHasher | None) -> str:
    """Return the hash of a password.

    Args:
        password: The password.
        hasher: Makes the hash; None for argon2-cffi's parameters.

    Raises:
        ConfigurationError: The password is too long, or argon2 fails.
    """
    try:
        return (hasher or PasswordHasher()).hash(secret_of(password))
    except HashingError as error:
        raise ConfigurationError(f"cannot hash a password: {error}") from error


def secret_of(password: str) -> bytes:
    """Return the bytes of a password that are hashed."""
    try:
        if len(password.encode()) <= MAX_PASSWORD:  # composing a longer text takes time
            return unicodedata.normalize("NFC", password).encode()
    except UnicodeEncodeError:
        # Not chained: that error holds the password.
        raise ConfigurationError("a password is text in UTF-8") from None
    raise ConfigurationError(f"a password has up to {MAX_PASSWORD} bytes")


def matches(encoded: str, secret: bytes) -> bool:
    """Return whether a hash is that of a password; argon2 compares in constant time."""
    try:
        return PasswordHasher().verify(encoded, secret)
    except VerifyMismatchError:
        return False
    except VerificationError as error:
        raise ConfigurationError(f"cannot verify a password: {error}") from error


def decoy(hashes: Iterable[str], hasher: PasswordHasher) -> str:
    """Return a hash that matches no password, and takes as long to verify as most others do."""
    usual = Counter(parameters_of(encoded) for encoded in hashes).most_common(1)
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    prefix = usual[0][0] if usual else f"$argon2id$v=19${costs}$"
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, 32)
    )
    return f"{prefix}{salt}${digest}"


def parameters_of(encoded: str) -> str:
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
