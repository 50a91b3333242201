"""Presence: what those in a room are told of who comes, goes, and is called something else."""

from __future__ import annotations

from typing import Any

from chatd.wire.messages import Message, MessageType

__all__ = ["absent", "event", "joined", "left", "renamed", "topic_set"]


def event(event: str, /, **fields: Any) -> Message:  # noqa: ANN401  (JSON values)
    """Make an EVENT."""
    return Message(MessageType.EVENT, {"event": event, **fields})


def joined(room: str, name: str) -> Message:
    """Make the EVENT that somebody came into a room."""
    return event("joined", room=room, name=name)


def left(room: str, name: str) -> Message:
    """Make the EVENT that somebody left a room."""
    return event("left", room=room, name=name)


def renamed(old_name: str, name: str) -> Message:
    """Make the EVENT that somebody goes by another name now."""
    return event("renamed", name=name, old_name=old_name)


def topic_set(room: str, topic: str, name: str) -> Message:
    """Make the EVENT that somebody set a room's topic."""
    return event("topic", room=room, topic=topic, name=name)


def absent(name: str, ref: str) -> Message:
    """Make the EVENT that nobody goes by the name that a message was said to; it is kept."""
    return event("absent", name=name, ref=ref)
