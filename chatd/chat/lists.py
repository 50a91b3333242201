"""Lists in a RESULT: a list that is too long for one RESULT is sent in parts.

A part that is not the last has `next`. The member gives its value as `after` to get the next part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

__all__ = ["LIST_BYTES", "MAX_LISTED", "ListFields", "items_after"]

LIST_BYTES = 32 * 1024
"""The most bytes of a list in one RESULT; it must fit in the header, which is limited."""
MAX_LISTED = 1_000
"""The most items that a command looks up in the store for one RESULT.

Even so many of the shortest rooms exceed `LIST_BYTES`, so `next` is never missing."""


class ListFields(msgspec.Struct):
    """The fields of a command that asks for a list.

    Attributes:
        after: The `next` of the part before; empty for the first part.
    """

    after: str = ""


def items_after(
    items: Iterable[tuple[str, Any]],
    after: str,
    complete: Callable[[Any], Any] = lambda value: value,
) -> tuple[list[Any], dict[str, str]]:
    """Return the part of a list that follows a key and fits in one RESULT.

    Args:
        items: Keys and values, in any order.
        after: The key that the part follows.
        complete: Makes each value of the part from its value in `items`, and only those.

    Returns:
        The values in the order of their keys, and the field `next` if values are left.
    """
    part: list[Any] = []
    size = 0
    last = after
    for key, item in sorted((item for item in items if item[0] > after), key=lambda item: item[0]):
        value = complete(item)
        size += len(msgspec.json.encode(value)) + 1
        if size > LIST_BYTES:
            return part, {"next": last}
        part.append(value)
        last = key
    return part, {}
