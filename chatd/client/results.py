"""The results of a client's commands."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from chatd.client.fields import Address, AwayText, Count, Epoch, Id, Name, RoomName, Seq, Topic
from chatd.wire.messages import Message

__all__ = [
    "BanInfo",
    "Conversation",
    "History",
    "Invitation",
    "Joined",
    "MadePrivate",
    "PersonInfo",
    "RoomInfo",
    "Uninvited",
]


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """A room that the client has joined.

    Attributes:
        room: The room's name, in the room's own spelling.
        epoch: The name of the room's order; a `seq` is valid only within its epoch.
        seq: The `seq` of the last message before the client joined.
        last_id: The id of that message; None if the room does not keep it.
        members: The number of names in the room; None for the rooms in which a session begins:
            the server does not send it for these. `who` lists the names.
        topic: The room's topic, or empty; empty too for the rooms in which a session begins.
        recovered: Whether the client gets every message after `after`.
    """

    room: RoomName
    epoch: Epoch
    seq: Seq
    last_id: Id | None = None
    members: Count | None = None
    topic: Topic = ""
    recovered: bool = False


class RoomInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A room in the list of rooms.

    Attributes:
        room: The room's name.
        members: The number of members.
        topic: The room's topic, or empty.
        private: Whether only operators and invited names may enter it.
    """

    room: RoomName
    members: Count = 0
    topic: Topic = ""
    private: bool = False


class MadePrivate(msgspec.Struct, frozen=True, kw_only=True):
    """A room that was made private.

    Attributes:
        room: The room's name, in the room's own spelling.
        invited: The number of invited names.
        removed: The number of sessions that were removed from the room.
    """

    room: RoomName
    invited: Count = 0
    removed: Count = 0


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation to a private room.

    Attributes:
        has_account: Whether an account of the name exists; None if the server does not tell.
    """

    has_account: bool | None = None


class Uninvited(msgspec.Struct, frozen=True, kw_only=True):
    """A revoked invitation.

    Attributes:
        removed: The number of sessions that were removed from the room.
    """

    removed: Count = 0


class PersonInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A person in the list of a room's people.

    Attributes:
        name: The person's name.
        away: The text of a person who is away, or empty.
    """

    name: Name
    away: AwayText = ""


@dataclass(frozen=True, slots=True)
class History:
    """A page of earlier messages.

    Attributes:
        messages: The messages, in order.
        epoch: The name of that order.
        complete: Whether the page holds all requested messages; if not, ask again from its last
            message on.
        recovered: With `epoch` or `after_id`: whether the messages follow `after` without a gap; if
            not, they begin with the oldest stored message.
    """

    messages: list[Message]
    epoch: str
    complete: bool
    recovered: bool = False


class Conversation(msgspec.Struct, frozen=True, kw_only=True, rename={"other": "with"}):
    """The client's direct messages with one other name.

    Attributes:
        other: The other name, folded.
        epoch: The name of the messages' order.
        seq: The `seq` of the last message.
        last_id: The id of the last message, or None.
    """

    other: Name
    epoch: Epoch
    seq: Seq
    last_id: Id | None = None


class BanInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A ban in the list of bans.

    As in every answer of a server, fields that this version does not know are ignored. The server's
    `Ban` is stricter: it comes from a file, in which a mistyped field is an error.

    Attributes:
        name: The folded name that is banned, or None.
        address: The address that is banned, or None.
        until: The end of the ban, in Unix seconds; None for a permanent ban.
        by: The operator who made the ban.
        made: The time when it was made, in Unix seconds.
        reason: The operator's reason, or empty.
    """

    name: Name | None = None
    address: Address | None = None
    until: float | None = None
    by: Name = ""
    made: float = 0.0
    reason: Topic = ""
