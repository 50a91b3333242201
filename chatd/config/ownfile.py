"""Files that people give to chatd: reading them, checking their modes, and replacing them."""

from __future__ import annotations

import codecs
import errno
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from chatd.errors import ConfigurationError

__all__ = [
    "absolute_path",
    "may_become_mark",
    "read_regular_file",
    "read_trusted_file",
    "replace_private_file",
    "strip_mark",
    "why",
]

NULL_BYTE = "the path has a null byte"

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
# Unicode Standard, section 23.8. UTF-32 comes first: its mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "UTF-8"),
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_REMEDY_FOR_SECRETS = (
    "user {user} cannot change that; mount a Docker secret with mode 0400 and uid {user}, "
    "a Kubernetes secret with defaultMode 0400 and fsGroup; the owner of any other file: {command}"
)
# EBUSY is for a file that is mounted by itself, the others for a directory that is not writable.
_CANNOT_REPLACE = frozenset({errno.EBUSY, errno.EROFS, errno.EACCES, errno.EPERM})


def absolute_path(path: str | Path) -> str:
    """Return a path that stays valid when a daemon changes its directory, as with --rundir.

    Raises:
        ConfigurationError: The path is relative, and the current directory was deleted.
    """
    try:
        return os.path.abspath(path)
    except OSError as error:
        raise ConfigurationError(
            f"cannot tell where {path} is: the current directory is gone"
        ) from error


def strip_mark(text: bytes, what: str) -> bytes:
    """Return UTF-8 text without the byte order mark that some editors write before it.

    Args:
        text: The text, from its beginning.
        what: The name of the text in errors, such as `standard input`.

    Raises:
        ConfigurationError: The text begins with the mark of UTF-16 or UTF-32.
    """
    for mark, encoding in _MARKS:
        if text.startswith(mark):
            if encoding == "UTF-8":
                return text[len(mark) :]
            raise ConfigurationError(f"{what} is {encoding}, not UTF-8 text; save it as UTF-8")
    return text


def may_become_mark(start: bytes) -> bool:
    """Return whether more bytes are needed to tell if text begins with a byte order mark."""
    return any(len(start) < len(mark) and mark.startswith(start) for mark, _ in _MARKS)


def read_regular_file(path: str | Path, max_bytes: int = -1) -> tuple[bytes, int]:
    """Read a regular file; refuse others, such as a pipe, for which a reader could wait for ever.

    Args:
        path: The file.
        max_bytes: The most bytes to read; negative for the whole file.

    Returns:
        The content of the file, and its mode.

    Raises:
        OSError: The file cannot be read, or it is not a regular file.
    """
    data, status, _ = _read(path, max_bytes)
    return data, status.st_mode


def read_trusted_file(
    path: str | Path,
    what: str,
    *,
    is_secret: bool,
    max_bytes: int = -1,
    keep_mark: bool = False,
    check: Callable[[bytes], object] = lambda _: None,
) -> bytes:
    """Read a text file that only its owner may write, and only its owner may read if it is secret.

    A secret that belongs to root may also be readable by its group, because only root can have
    given it to that group. Containers get secrets like that, and PostgreSQL has the same rule for
    its key (https://www.postgresql.org/docs/current/ssl-tcp.html). If chatd runs as root, the rule
    does not include root's own group: there, `chmod 600` costs nothing.

    Args:
        path: The file.
        what: The name of the file in errors, such as `key file`.
        is_secret: Whether users other than the owner may not read the file either.
        max_bytes: The most bytes to read; negative for the whole file.
        keep_mark: Whether to return a byte order mark of UTF-8, too.
        check: Called with the text before the rights are checked. It raises if this is another
            file than it should be: changing its mode would not help.

    Raises:
        ConfigurationError: The file cannot be read, is not a regular file, gives other users
            rights that they may not have, or is in UTF-16 or UTF-32.
    """
    try:
        data, status, is_read_only = _read(path, max_bytes)
    except OSError as error:
        raise ConfigurationError(f"cannot read the {what} {path}: {why(error)}") from error
    text = strip_mark(data, f"the {what} {path}")
    check(text)
    if is_secret and status.st_mode & _OTHERS and not _is_lent_by_root(status):
        fault, mode = "can read or write", "640" if _has_group_of_daemon(status) else "600"
    elif status.st_mode & _OTHERS_WRITE:
        fault, mode = "can write", "go-w"
    else:
        return data if keep_mark else text
    user = os.geteuid()
    if user in (0, status.st_uid) and not is_read_only:
        remedy = f"chmod {mode} {path}"
    elif is_secret:
        command = "chmod 600"
        if status.st_uid == 0 and not is_read_only:
            command = f"chown root:{os.getegid()} {path}; chmod 640 {path}"
        remedy = _REMEDY_FOR_SECRETS.format(user=user, command=command)
    else:
        remedy = f"user {user} cannot change that; its owner can: chmod {mode} {path}"
    raise ConfigurationError(f"others {fault} the {what} {path}: {remedy}")


def replace_private_file(
    path: str | Path, data: bytes, status: os.stat_result | None = None
) -> None:
    """Replace a file by another: afterwards the path has either the old file or the new file.

    A file that cannot be replaced, such as one that is mounted by itself, is overwritten; it keeps
    its owner and its mode. If overwriting fails, the old content is restored. If the machine stops
    meanwhile, the file may be damaged; if its directory is writable, the new file is then beside
    it, under a name that begins with a dot.

    Args:
        path: The file.
        data: The new content.
        status: Gives the owner and the mode of the new file; without it, the mode is 0600.

    Raises:
        OSError: The file cannot be replaced; it is unchanged.
    """
    directory, name = os.path.split(path)
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=directory or ".")
        with os.fdopen(descriptor, "wb") as file:
            if status is not None:
                os.fchown(descriptor, status.st_uid, status.st_gid)
            mode = 0o600 if status is None else stat.S_IMODE(status.st_mode)
            os.fchmod(descriptor, mode)  # with any umask
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except OSError as error:
        if error.errno not in _CANNOT_REPLACE or not os.path.isfile(path):
            raise
        _overwrite(path, data)
    finally:
        if temporary is not None:
            with suppress(OSError):  # the rename has moved it
                os.unlink(temporary)


def why(error: Exception) -> str:
    """Return the reason of an error about a file, in the system's words if it has any."""
    if isinstance(error, ValueError) and "embedded null" in str(error):  # each Python's own words
        return NULL_BYTE
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _read(path: str | Path, max_bytes: int) -> tuple[bytes, os.stat_result, bool]:
    """Return a regular file's content and status, and whether its file system is read-only."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            status = _status_of_regular(file.fileno())
            is_read_only = bool(os.fstatvfs(file.fileno()).f_flag & os.ST_RDONLY)
            return file.read(max_bytes), status, is_read_only
    except ValueError as error:  # there is a NUL in its name
        raise OSError(errno.EINVAL, NULL_BYTE) from error


def _status_of_regular(descriptor: int) -> os.stat_result:
    """Return the status of an open file; refuse a file that is not regular."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    return status


def _is_lent_by_root(status: os.stat_result) -> bool:
    """Return whether a file belongs to root, and others have only its group's right to read."""
    lets_group_read = status.st_mode & _OTHERS == stat.S_IRGRP
    has_group = status.st_gid != 0 or os.geteuid() != 0
    return status.st_uid == 0 and lets_group_read and has_group


def _has_group_of_daemon(status: os.stat_result) -> bool:
    """Return whether a file belongs to root, and another group than root's may read it."""
    return status.st_uid == 0 != status.st_gid and bool(status.st_mode & stat.S_IRGRP)


def _overwrite(path: str | Path, data: bytes) -> None:
    """Write over a file, and restore its old content if that fails."""
    with open(path, "r+b", buffering=0, opener=_without_waiting) as file:
        _status_of_regular(file.fileno())
        before = file.read()
        try:
            _write_over(file.fileno(), data)
        except BaseException:
            with suppress(OSError):
                _write_over(file.fileno(), before)
            raise


def _write_over(descriptor: int, data: bytes) -> None:
    # The bytes beyond the old end come first: a full disk fails before old content is lost.
    size = os.fstat(descriptor).st_size
    for start, end in ((size, len(data)), (0, min(size, len(data)))):
        place = start
        while place < end:
            place += os.pwrite(descriptor, data[place:end], place)
    os.ftruncate(descriptor, len(data))
    os.fsync(descriptor)


def _without_waiting(path: str, flags: int) -> int:
    """Open a file for `open`, without waiting for a pipe's writer."""
    return os.open(path, flags | os.O_NONBLOCK)
