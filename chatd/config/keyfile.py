"""Key files: 32 random bytes in URL-safe base64, which only their owner can read."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from pathlib import Path

from chatd.config.ownfile import read_trusted_file, why
from chatd.errors import ConfigurationError
from chatd.wire.keys import KEY_BYTES

__all__ = ["generate_key", "load_key", "write_key_file"]

_WHAT = "key file"
_MAX_FILE_BYTES = 4096


def generate_key() -> bytes:
    """Return a new key, 32 random bytes."""
    return secrets.token_bytes(KEY_BYTES)


def write_key_file(path: str | Path) -> bytes:
    """Make a new key file with mode 0600, and return its key.

    Raises:
        ConfigurationError: A file of that name exists already, or the file cannot be written.
    """
    key = generate_key()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        what = "is a directory" if os.path.isdir(path) else "exists already"
        raise ConfigurationError(f"{path} {what}; give a path where nothing is yet") from error
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot write the {_WHAT} {path}: {why(error)}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(base64.urlsafe_b64encode(key) + b"\n")
    except OSError as error:
        os.unlink(path)
        raise ConfigurationError(f"cannot write the {_WHAT} {path}: {why(error)}") from error
    return key


def load_key(path: str | Path) -> bytes:
    """Return the key in a key file, 32 bytes.

    Raises:
        ConfigurationError: The file cannot be read, it holds no key, or users other than its owner
            may read or write it.
    """

    def check(text: bytes) -> None:
        if _key_in(text) is None:
            raise ConfigurationError(f"{path} holds no key; make one with: chatd keygen PATH")

    key = _key_in(
        read_trusted_file(path, _WHAT, is_secret=True, max_bytes=_MAX_FILE_BYTES, check=check)
    )
    assert key is not None  # it was checked
    return key


def _key_in(text: bytes) -> bytes | None:
    """Return the key in the text of a key file; None if it holds no key."""
    try:
        unpadded = text.strip().rstrip(b"=")
        key = base64.b64decode(
            unpadded + b"=" * (-len(unpadded) % 4), altchars=b"-_", validate=True
        )
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None
