"""The keys by which a store finds streams."""

from __future__ import annotations

__all__ = ["ROOM_PREFIX", "direct_names", "direct_stream", "is_room", "room_stream"]

ROOM_PREFIX = "room "
"""Prefix of the keys of rooms' streams; the room's folded name follows."""
_DIRECT_PREFIX = "direct "


def room_stream(room: str) -> str:
    """Return the key of a room's stream, from the room's folded name."""
    return f"{ROOM_PREFIX}{room}"


def direct_stream(one: str, other: str) -> str:
    """Return the key of the stream of two names' direct messages, from the folded names."""
    first, second = sorted((one, other))
    return f"{_DIRECT_PREFIX}{first} {second}"


def is_room(key: str) -> bool:
    """Return whether a key is that of a room's stream."""
    return key.startswith(ROOM_PREFIX)


def direct_names(key: str) -> tuple[str | None, str | None]:
    """Return the two folded names in the key of a direct stream; None twice for other streams."""
    if not key.startswith(_DIRECT_PREFIX):
        return None, None
    one, _, other = key.removeprefix(_DIRECT_PREFIX).partition(" ")
    return one, other
