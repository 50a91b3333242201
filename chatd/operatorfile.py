"""Operator files: the names of those who may kick and ban, one a line."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from chatd.chat.names import check_name
from chatd.errors import ConfigurationError, RequestError
from chatd.keyfile import why, without_waiting

__all__ = ["load_operators"]

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_WHAT = "operator file"


def load_operators(path: str | Path) -> tuple[str, ...]:
    """Return the names in an operator file.

    It is UTF-8 text with one name a line. Blank lines and lines that begin with `#` say nothing.

    Raises:
        ConfigurationError: It cannot be read, others than its owner may write it, or a line of it
            is no name.
    """
    try:
        with open(path, "rb", opener=without_waiting) as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise ValueError("it is no file")
            lines = file.read().decode("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot read the {_WHAT} {path}: {why(error)}") from error
    if mode & _OTHERS_WRITE:
        raise ConfigurationError(f"others can write the {_WHAT} {path}: chmod go-w {path}")
    names = []
    for number, line in enumerate(lines, 1):
        name = line.strip()
        if name and not name.startswith("#"):
            try:
                names.append(check_name(name))
            except RequestError as error:
                raise ConfigurationError(f"{path}, line {number}: {error.message}") from error
    return tuple(names)
