"""What events say to people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from chatd.errors import ErrorCode

__all__ = ["MAX_SHOWN_FIELD", "rooms_of", "words_of"]

MAX_SHOWN_FIELD = 1000
"""Limit on the shown characters of a field of an event."""

_WORDS = {
    "welcome": "you are {name}{inside}",
    "joined": "{name} joined{there}",
    "left": "{name} left{there}",
    "left-by": "{name} was removed{from_there} by {by}{why}",
    "made-private": "{name} made {room} private: only invited people may enter it now",
    "made-public": "{name} made {room} public: everybody may enter and read earlier messages now",
    "invited": "{name} invites you to {room}; /join {room} enters it",
    "removed": "you were removed from {room}: only invited people may be there",
    "topic": "{name} set the topic{its}: {topic}",
    "renamed": "{old_name} is now called {name}",
    "absent": "{name} is not connected; the server keeps the message for that name",
    "away": "{name} is away: {text}",
    "error": "{message} ({code})",
    "held": "your messages wait, and are sent again: {message} ({code})",
    "released": "your messages no longer wait",
    "disconnected": "{reason} ({code})",
}
_BY_FIELD = {
    "topic": ("topic", {"": "{name} cleared the topic{its}"}),
    "disconnected": ("code", {str(ErrorCode.KICKED): "you were kicked: {reason}"}),
}
"""The field of an event whose value decides, and the words for some of its values."""


def words_of(event: Mapping[str, Any], *, with_room: bool = False) -> str | None:
    """Return the words for an event; None if there are none.

    Args:
        event: The event; its field `event` is its name.
        with_room: Whether the words name the room.
    """
    fields = _fields_of(event)
    if with_room and fields["room"]:
        fields["there"], fields["its"] = f" {fields['room']}", f" of {fields['room']}"
        fields["from_there"] = f" from {fields['room']}"
    fields["inside"] = _cut(_in_rooms(event))
    what = event["event"]
    if what == "left" and fields["by"]:
        what, fields["why"] = "left-by", f": {fields['reason']}" if fields["reason"] else ""
    elif what == "room-changed" and fields["room"]:
        what = "made-private" if event.get("private") is True else "made-public"
    field, by_value = _BY_FIELD.get(what, ("", {}))
    words = by_value.get(fields[field], _WORDS.get(what))
    return None if words is None else words.format_map(fields)


def _fields_of(event: Mapping[str, Any]) -> defaultdict[str, str]:
    """Return the fields of an event as text, cut; a server can send anything."""
    fields = {name: _cut(str(value)) for name, value in event.items() if value is not None}
    return defaultdict(str, fields)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_FIELD else f"{text[:MAX_SHOWN_FIELD]}…"


def _in_rooms(welcome: Mapping[str, Any]) -> str:
    """Return the words for the rooms of a welcome; none if it has no rooms."""
    rooms = rooms_of(welcome)
    return f", in {', '.join(rooms)}" if rooms else ""


def rooms_of(welcome: Mapping[str, Any]) -> list[str]:
    """Return the rooms that a welcome names."""
    told_rooms = welcome.get("rooms")
    told_rooms = told_rooms if isinstance(told_rooms, list) else []
    rooms = [str(told["room"]) for told in told_rooms if isinstance(told, dict) and "room" in told]
    return rooms or ([str(welcome["room"])] if welcome.get("room") else [])
