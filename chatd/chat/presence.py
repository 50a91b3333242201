"""Presence: the EVENTs about arrivals, departures, new names, changed rooms, and people away."""

from __future__ import annotations

from chatd.wire.messages import Message, MessageType

__all__ = [
    "absent",
    "away",
    "event",
    "invited",
    "joined",
    "left",
    "removed",
    "renamed",
    "room_changed",
    "topic_set",
]


def event(event: str, /, **fields: object) -> Message:
    """Return an EVENT."""
    return Message(MessageType.EVENT, {"event": event, **fields})


def joined(room: str, name: str) -> Message:
    """Return the EVENT that a name joined a room."""
    return event("joined", room=room, name=name)


def left(room: str, name: str, *, by: str = "", reason: str = "") -> Message:
    """Return the EVENT that a name left a room.

    Args:
        room: The room's name.
        name: The name that left.
        by: The name of the operator that removed it, or empty.
        reason: The operator's reason, or empty.
    """
    why = {"by": by, "reason": reason}
    return event("left", room=room, name=name, **{key: text for key, text in why.items() if text})


def invited(room: str, name: str) -> Message:
    """Return the EVENT `invited`, for a session whose name `name` has invited to a private room."""
    return event("invited", room=room, name=name)


def removed(room: str) -> Message:
    """Return the EVENT that the session that gets it is no longer in a private room."""
    return event("removed", room=room)


def renamed(old_name: str, name: str) -> Message:
    """Return the EVENT that a member has another name now."""
    return event("renamed", name=name, old_name=old_name)


def room_changed(room: str, name: str, *, private: bool) -> Message:
    """Return the EVENT that `name`, an operator, made a room private or public."""
    return event("room-changed", room=room, private=private, name=name)


def topic_set(room: str, topic: str, name: str) -> Message:
    """Return the EVENT that a member set a room's topic."""
    return event("topic", room=room, topic=topic, name=name)


def absent(name: str, ref: str) -> Message:
    """Return the EVENT that no session has the name that a direct message is for.

    The server keeps the message all the same.

    Args:
        name: The name that the message is for.
        ref: The message's id.
    """
    return event("absent", name=name, ref=ref)


def away(name: str, text: str, ref: str) -> Message:
    """Return the EVENT that the person that a direct message is for is away.

    Args:
        name: The name that the message is for.
        text: The away text.
        ref: The message's id.
    """
    return event("away", name=name, text=text, ref=ref)
