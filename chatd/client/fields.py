"""The fields of commands and of a server's answers and events, and the bounds of their values.

No chatd server sends longer names or higher numbers. The bounds keep a lying server from filling
the memory of a client, or its screen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec

from chatd.chat.away import MAX_AWAY
from chatd.chat.history import MAX_SEQ, Seq
from chatd.chat.names import MAX_NAME, MAX_ROOM, MAX_TOPIC
from chatd.errors import ErrorCode, RequestError
from chatd.wire.bounds import MAX_ID
from chatd.wire.faults import plain_fault
from chatd.wire.messages import Message

__all__ = [
    "Address",
    "AwayText",
    "Count",
    "Epoch",
    "Id",
    "Name",
    "RoomName",
    "Seq",
    "Topic",
    "check_event",
    "check_message",
    "convert",
    "given",
]

T = TypeVar("T")

_MAX_FOLDED = 3 * MAX_NAME
"""Longest name of a person after case folding, which makes a name up to three times as long."""

Name = Annotated[str, msgspec.Meta(max_length=_MAX_FOLDED)]
"""The name of a person, which may be case-folded."""
RoomName = Annotated[str, msgspec.Meta(max_length=MAX_ROOM)]
"""The name of a room."""
Topic = Annotated[str, msgspec.Meta(max_length=MAX_TOPIC)]
"""The topic of a room."""
AwayText = Annotated[str, msgspec.Meta(max_length=MAX_AWAY)]
"""The text of a person who is away."""
Id = Annotated[str, msgspec.Meta(max_length=MAX_ID)]
"""The id of a message."""
Epoch = Annotated[str, msgspec.Meta(max_length=MAX_ID)]
"""The name of an order of messages."""
Address = Annotated[str, msgspec.Meta(max_length=MAX_ID)]
"""The address of a client."""
Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)]
"""A number of members, sessions or names."""
_EVENTS = frozenset(
    {
        "joined",
        "left",
        "renamed",
        "room-changed",
        "topic",
        "removed",
        "invited",
        "absent",
        "away",
    }
)
"""The events whose fields chatd knows; your own service may have others."""


class _EventFields(msgspec.Struct):
    room: RoomName | msgspec.UnsetType = msgspec.UNSET
    name: Name | msgspec.UnsetType = msgspec.UNSET
    old_name: Name | msgspec.UnsetType = msgspec.UNSET
    topic: Topic | msgspec.UnsetType = msgspec.UNSET
    private: bool | msgspec.UnsetType = msgspec.UNSET
    by: Name | msgspec.UnsetType = msgspec.UNSET
    reason: Topic | msgspec.UnsetType = msgspec.UNSET
    text: AwayText | msgspec.UnsetType = msgspec.UNSET
    ref: Id | msgspec.UnsetType = msgspec.UNSET


def given(**fields: object) -> dict[str, object]:
    """Return the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def convert(told: object, wanted: type[T], what: str = "answer") -> T:
    """Convert the fields that a server sent to a type.

    Args:
        told: The fields.
        wanted: The type.
        what: The name of the fields in the error.

    Raises:
        RequestError: `bad-request`: the fields are not of that type.
    """
    try:
        return msgspec.convert(told, wanted)
    except msgspec.ValidationError as error:
        raise RequestError(
            ErrorCode.BAD_REQUEST, f"the server's {what} is malformed: {plain_fault(error)}"
        ) from error


def check_event(event: Mapping[str, Any]) -> None:
    """Check the fields of an event that chatd knows.

    Raises:
        RequestError: `bad-request`: a field has another type, or it is too long.
    """
    if event["event"] in _EVENTS:
        convert(event, _EventFields, "event")


def check_message(message: Message) -> None:
    """Check the fields of a MESSAGE that the server sets.

    Raises:
        RequestError: `bad-request`: the sender's name is too long, or the place is out of range.
    """
    sender, seq = message.sender, message.seq
    if sender is not None and len(sender) > _MAX_FOLDED:
        fault = "its sender's name is too long"
    elif seq is not None and not 0 <= seq <= MAX_SEQ:
        fault = f"its seq is not from 0 to {MAX_SEQ}"
    else:
        return
    told = f"the server's message is malformed: {fault}"
    raise RequestError(ErrorCode.BAD_REQUEST, told, ref=message.id)
