"""Rooms: who is in one, and the one order of what is said in it."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar

from chatd.chat.names import fold
from chatd.errors import ErrorCode, RequestError
from chatd.wire.messages import DEFAULT_CONTENT_TYPE, ChatHeader, Message, MessageType

__all__ = ["LOBBY", "MAX_REMEMBERED", "MAX_REMEMBERED_BYTES", "Member", "Room"]

LOBBY = "lobby"
"""The room that every session is in."""
MAX_REMEMBERED = 1_000
"""How many messages a room remembers, to answer one that is sent again."""
MAX_REMEMBERED_BYTES = 4 * 1024 * 1024
"""How many bytes of content a room remembers."""


class Member(Protocol):
    """What a room knows of a member."""

    @property
    def id(self) -> str:
        """What sets this member apart from every other, even of the same name."""

    @property
    def name(self) -> str:
        """What the member is called."""


M = TypeVar("M", bound=Member)


class Room(Generic[M]):
    """A room.

    Attributes:
        name: What it is called.
        members: Who is in it, by their ids.
        seq: The place in its order of what was said last; the first has 1.
    """

    __slots__ = ("_remembered", "_remembered_bytes", "members", "name", "seq")

    def __init__(self, name: str) -> None:
        self.name = name
        self.members: dict[str, M] = {}
        self.seq = 0
        self._remembered: OrderedDict[tuple[str, str], Message] = OrderedDict()
        self._remembered_bytes = 0

    def join(self, member: M) -> Message:
        """Let a member in; the EVENT returned is for those who were there before."""
        self.members[member.id] = member
        return self._presence("joined", member)

    def leave(self, member: M) -> Message:
        """Let a member out; the EVENT returned is for those who stay."""
        del self.members[member.id]
        return self._presence("left", member)

    def accept(self, message: Message, sender: str, now: float) -> tuple[Message, bool]:
        """Give a message its place in the room's order.

        Args:
            message: The MESSAGE as it was sent.
            sender: The name of who sent it.
            now: The time, in Unix seconds.

        Returns:
            The message as it is delivered, and whether it is new: one that the same sender sent
            before under the same id is returned as it was then, and not delivered again.

        Raises:
            RequestError: `id-reused`: the same id was given to another content.
        """
        header = message.header
        assert isinstance(header, ChatHeader)
        key = (fold(sender), header.id)
        earlier = self._remembered.get(key)
        if earlier is not None:
            if (earlier.content, earlier.content_type) != (message.content, message.content_type):
                raise RequestError(
                    ErrorCode.ID_REUSED, "this id was given to another message", ref=header.id
                )
            return earlier, False
        self.seq += 1
        accepted = Message(
            MessageType.MESSAGE,
            ChatHeader(
                id=header.id,
                room=self.name,
                sender=sender,
                seq=self.seq,
                time=now,
                content_type=header.content_type or DEFAULT_CONTENT_TYPE,
            ),
            message.content,
        )
        self._remember(key, accepted)
        return accepted, True

    def _remember(self, key: tuple[str, str], message: Message) -> None:
        self._remembered[key] = message
        self._remembered_bytes += len(message.content)
        while self._remembers_too_much():
            _, forgotten = self._remembered.popitem(last=False)
            self._remembered_bytes -= len(forgotten.content)

    def _remembers_too_much(self) -> bool:
        """Whether the oldest is to be forgotten; the last one never is, however large."""
        count = len(self._remembered)
        return count > MAX_REMEMBERED or (
            count > 1 and self._remembered_bytes > MAX_REMEMBERED_BYTES
        )

    def _presence(self, event: str, member: M) -> Message:
        header = {"event": event, "room": self.name, "name": member.name}
        return Message(MessageType.EVENT, header)
