"""Key files: 32 random bytes in URL-safe base64, that nobody but their owner can read."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from chatd.errors import ConfigurationError
from chatd.wire.keys import KEY_BYTES

__all__ = [
    "generate_key",
    "load_key",
    "read_private_file",
    "replace_private_file",
    "why",
    "without_waiting",
    "write_key_file",
]

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MAX_FILE_BYTES = 4096


def generate_key() -> bytes:
    """Return a new key, 32 random bytes."""
    return secrets.token_bytes(KEY_BYTES)


def write_key_file(path: str | Path) -> bytes:
    """Make a new key file with mode 0600, and return its key.

    Raises:
        ConfigurationError: There is a file of that name already, or it cannot be written.
    """
    key = generate_key()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigurationError(f"{path} is there already; a key is never overwritten") from error
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot write the key file {path}: {why(error)}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(base64.urlsafe_b64encode(key) + b"\n")
    except OSError as error:
        os.unlink(path)
        raise ConfigurationError(f"cannot write the key file {path}: {why(error)}") from error
    return key


def load_key(path: str | Path) -> bytes:
    """Return the key in a key file, 32 bytes.

    Raises:
        ConfigurationError: It cannot be read, others than its owner may read or write it, or it
            holds no key.
    """
    text = read_private_file(path, "key file", _MAX_FILE_BYTES) or b""
    try:
        unpadded = text.strip().rstrip(b"=")
        key = base64.b64decode(
            unpadded + b"=" * (-len(unpadded) % 4), altchars=b"-_", validate=True
        )
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"{path} holds no key; make one with: chatd keygen PATH")
    return key


def read_private_file(path: str | Path, what: str, max_bytes: int = -1) -> bytes | None:
    """Read a file that holds a secret, and that is therefore its owner's alone.

    Args:
        path: The file.
        what: What errors call it, such as `key file`.
        max_bytes: How much of it is read, in bytes; all of it where this is negative.

    Returns:
        What is in it, or None where it is no regular file.

    Raises:
        ConfigurationError: It cannot be read, or others than its owner may read or write it.
    """
    try:
        with open(path, "rb", opener=without_waiting) as file:
            status = os.fstat(file.fileno())
            data = file.read(max_bytes) if stat.S_ISREG(status.st_mode) else None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot read the {what} {path}: {why(error)}") from error
    if status.st_mode & _OTHERS:
        raise ConfigurationError(f"others can read or write the {what} {path}: chmod 600 {path}")
    return data


def without_waiting(path: str, flags: int) -> int:
    """Open a file for `open`; a pipe that nobody writes to is not waited for."""
    return os.open(path, flags | os.O_NONBLOCK)


def replace_private_file(
    path: str | Path, data: bytes, status: os.stat_result | None = None
) -> None:
    """Put a file in the place of another: one of the two is there, whatever happens.

    Args:
        path: The file.
        data: What it is to hold.
        status: Tells the owner and the mode that it is to have; mode 0600 where there is None.

    Raises:
        OSError: It cannot be done; the file is as it was.
    """
    directory, name = os.path.split(path)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=directory or ".")
    try:
        with os.fdopen(descriptor, "wb") as file:
            if status is not None:
                os.fchown(descriptor, status.st_uid, status.st_gid)
            mode = 0o600 if status is None else stat.S_IMODE(status.st_mode)
            os.fchmod(descriptor, mode)  # whatever the umask
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def why(error: Exception) -> str:
    """Return what went wrong with a file, in the system's words where it has any."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
