"""`check_fields`: checks what a program puts into the header of a COMMAND or a RESULT."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import isfinite

from chatd.errors import LocalProtocolError

__all__ = ["check_fields"]


def check_fields(fields: Mapping[str, object], reserved: Collection[str]) -> None:
    """Check the fields of a command or of a result.

    Args:
        fields: The fields: JSON values, and lists and dictionaries of these.
        reserved: The names that chatd uses itself.

    Raises:
        LocalProtocolError: A field has one of these names, or its value is no JSON value.
    """
    for name, value in fields.items():
        if name in reserved:
            raise LocalProtocolError(f"a field cannot be named {name}: chatd uses this name itself")
        try:
            _check_json(name, value)
        except RecursionError:
            raise LocalProtocolError(f"the field {name} is nested too deeply") from None


def _check_json(name: str, value: object) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise _no_json(name, f"a key that is {type(key).__name__}")
            _check_json(name, item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_json(name, item)
    elif isinstance(value, float) and not isfinite(value):
        raise _no_json(name, str(value))
    elif not (value is None or isinstance(value, str | int | float)):
        raise _no_json(name, type(value).__name__)


def _no_json(name: str, found: str) -> LocalProtocolError:
    return LocalProtocolError(f"the field {name} must be a JSON value, and has {found}")
