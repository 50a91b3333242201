"""What a client's commands give back."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from chatd.wire.messages import Message

__all__ = ["BanInfo", "Conversation", "History", "Joined", "RoomInfo"]


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """A room that the client is in now.

    Attributes:
        room: The room's name, as it is spelled there.
        epoch: The name of the room's order; a `seq` is a place in that order only.
        seq: The place of the last message that was said before the client came in.
        last_id: The id of that message; None if the room does not keep it.
        members: How many are in the room.
        topic: What the room is about, or empty.
        recovered: Whether the client gets every message that was said since `after`.
    """

    room: str
    epoch: str
    seq: int
    last_id: str | None = None
    members: int = 0
    topic: str = ""
    recovered: bool = False


class RoomInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A room, in a list of them.

    Attributes:
        room: The room's name.
        members: How many are in it.
        topic: What it is about, or empty.
    """

    room: str
    members: int = 0
    topic: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """A part of what was said.

    Attributes:
        messages: The messages, in their order.
        epoch: The name of that order.
        complete: Whether these are all the messages that were asked for; if not, ask again from
            the last of them.
        recovered: With `epoch` or `after_id`: whether the messages go on from `after` without a
            gap; if not, they begin with the oldest message that is kept.
    """

    messages: list[Message]
    epoch: str
    complete: bool
    recovered: bool = False


class Conversation(msgspec.Struct, frozen=True, kw_only=True, rename={"other": "with"}):
    """The direct messages that the client exchanged with one name.

    Attributes:
        other: The other's folded name.
        epoch: The name of the messages' order.
        seq: The place of the last one.
        last_id: The id of the last one, or None.
    """

    other: str
    epoch: str
    seq: int
    last_id: str | None = None


class BanInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A ban, in a list of them.

    Fields that this version does not know are ignored, as they are in every answer of a server. The
    server's own `Ban` is stricter: it is read from a file in which a mistyped field is an error.

    Attributes:
        name: The folded name that is banned, or None.
        address: The address that is banned, or None.
        until: When it ends, in Unix seconds; None if it does not.
        by: The operator who made it.
        made: When it was made, in Unix seconds.
    """

    name: str | None = None
    address: str | None = None
    until: float | None = None
    by: str = ""
    made: float = 0.0
