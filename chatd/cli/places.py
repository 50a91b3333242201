"""`Place`: where messages are said."""

from __future__ import annotations

from typing import NamedTuple

from chatd.chat.names import fold

__all__ = ["Place"]


class Place(NamedTuple):
    """A room, or the direct messages with a person.

    Attributes:
        room: The room's name, or None.
        other: The person's name, or None.
    """

    room: str | None
    other: str | None

    @property
    def key(self) -> tuple[bool, str]:
        """The same value for all spellings of the place."""
        return self.room is not None, fold(self.room or self.other or "")

    def __str__(self) -> str:
        return f"with {self.other}" if self.room is None else f"in {self.room}"
