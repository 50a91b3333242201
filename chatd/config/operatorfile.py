"""Operator files: the names of the operators, one name a line."""

from __future__ import annotations

from pathlib import Path

from chatd.chat.names import check_name
from chatd.config.ownfile import read_trusted_file
from chatd.errors import ConfigurationError, RequestError

__all__ = ["load_operators"]

_WHAT = "operator file"


def load_operators(path: str | Path) -> tuple[str, ...]:
    """Return the names in an operator file.

    It is UTF-8 text with one name a line. Blank lines and lines that begin with `#` are ignored.

    Raises:
        ConfigurationError: The file cannot be read, users other than its owner may write it, or a
            line is not a valid name.
    """
    data = read_trusted_file(path, _WHAT, is_secret=False)
    try:
        lines = data.decode().splitlines()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the {_WHAT} {path} is not UTF-8 text") from error
    names = []
    for number, line in enumerate(lines, 1):
        name = line.strip()
        if name and not name.startswith("#"):
            try:
                names.append(check_name(name))
            except RequestError as error:
                raise ConfigurationError(f"{path}, line {number}: {error.message}") from error
    return tuple(names)
