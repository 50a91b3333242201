"""Names of members and rooms: what is allowed, and which are the same."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from chatd.errors import ErrorCode, RequestError

__all__ = ["MAX_NAME", "Names", "check_name", "fold"]

MAX_NAME = 32
"""Longest name of a member, in characters."""


def check_name(name: str) -> str:
    """Return `name` in Unicode's composed form (NFC).

    Raises:
        RequestError: `bad-name`: it is empty, too long, or holds a space or a control character.
    """
    if len(name) <= 4 * MAX_NAME:  # composing what is longer costs time, and it is too long anyway
        name = unicodedata.normalize("NFC", name)
    if not 0 < len(name) <= MAX_NAME or not name.isprintable() or " " in name:
        raise RequestError(
            ErrorCode.BAD_NAME,
            f"a name has 1 to {MAX_NAME} characters, none of them a space or a control character",
        )
    return name


@lru_cache(maxsize=4096)
def fold(name: str) -> str:
    """Return what two names have in common that count as the same: casefolded, then NFC."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


class Names:
    """The names that are in use."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def claim(self, name: str | None, guest: str) -> str:
        """Give out a name.

        Args:
            name: The name asked for, or None for any.
            guest: What sets a guest's name apart from others', such as a session's id; as much
                of it as is needed becomes part of the name.

        Raises:
            RequestError: `bad-name`, or `name-taken`.
        """
        given = self._guest_name(guest) if name is None else check_name(name)
        key = fold(given)
        if key in self._taken:
            raise RequestError(ErrorCode.NAME_TAKEN, f"the name {given} is in use")
        self._taken.add(key)
        return given

    def release(self, name: str) -> None:
        """Take a name back."""
        self._taken.discard(fold(name))

    def _guest_name(self, guest: str) -> str:
        names = (f"guest-{guest[:length]}" for length in range(6, len(guest) + 1))
        return next((name for name in names if fold(name) not in self._taken), f"guest-{guest}")
