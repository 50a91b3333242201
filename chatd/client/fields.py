"""The fields of commands and of their results."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from chatd.errors import ErrorCode, RequestError

__all__ = ["convert", "given"]

T = TypeVar("T")


def given(**fields: object) -> dict[str, object]:
    """Return the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def convert(result: object, wanted: type[T]) -> T:
    """Return the fields of a result as a value of a type.

    Raises:
        RequestError: `bad-request`: they are not of that type.
    """
    try:
        return msgspec.convert(result, wanted)
    except msgspec.ValidationError as error:
        raise RequestError(
            ErrorCode.BAD_REQUEST, f"the server's answer is malformed: {error}"
        ) from error
