"""The birth of a file: its inode and its time of birth, which distinguish it from a copy of it.

A file system may give the inode of a deleted file to a new file, and a copy can have all times of
its original, except the time of birth.
"""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

__all__ = ["birth_of"]

# statx(2) and linux/stat.h; `os.statx` comes with Python 3.15.
_AT_FDCWD = -100
_STATX_BTIME = 0x800
_STATX_BYTES = 256
_BTIME_OFFSET = 80
_BTIME = struct.Struct("qI")  # seconds, nanoseconds


def birth_of(path: Path) -> str:
    """Return the inode of a file and its time of birth, as one text.

    Where the system or the file system does not know the time, the text has the inode alone.

    Raises:
        OSError: There is no such file.
    """
    status = os.stat(path)
    born = getattr(status, "st_birthtime", None) or _ask_linux(path)
    return f"{status.st_ino} {born or ''}".rstrip()


def _ask_linux(path: Path) -> str | None:
    statx = getattr(ctypes.CDLL(None), "statx", None)
    if statx is None:
        return None
    answer = ctypes.create_string_buffer(_STATX_BYTES)
    if statx(_AT_FDCWD, os.fsencode(path), 0, _STATX_BTIME, answer) != 0:
        return None
    (mask,) = struct.unpack_from("I", answer)
    seconds, nanoseconds = _BTIME.unpack_from(answer, _BTIME_OFFSET)
    return f"{seconds}.{nanoseconds:09}" if mask & _STATX_BTIME else None
