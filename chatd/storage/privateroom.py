"""`PrivateRoom`: a room that only some names may enter, as a store keeps it."""

from __future__ import annotations

import msgspec

__all__ = ["PrivateRoom"]


class PrivateRoom(msgspec.Struct, frozen=True):
    """A private room. The store keeps it apart from the room's messages, also without any of them.

    Attributes:
        key: The room's folded name.
        name: The room's name as the operator spelled it.
        invited: The folded names that may enter.
    """

    key: str
    name: str
    invited: frozenset[str] = frozenset()
