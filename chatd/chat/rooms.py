"""Rooms and their members: who is in which room, and where a room's order stands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from chatd.chat.answers import Answers
from chatd.chat.names import fold
from chatd.storage.streamkeys import room_stream
from chatd.storage.values import Head
from chatd.wire.messages import Message

__all__ = ["LOBBY", "MAX_ROOMS", "PRESENCE_LIMIT", "M", "Member", "Room"]

LOBBY = "lobby"
"""The room that every session is let into, unless the operator or the session names others."""
MAX_ROOMS = 100
"""How many rooms a session may be in."""
PRESENCE_LIMIT = 500
"""In a room of more members than this, nobody is told who comes and goes."""


class Member:
    """Someone who is in the chat.

    Attributes:
        id: What sets this member apart from every other, even of the same name.
        name: What the member is called.
        key: The folded name.
        address: Where the member comes from, as limits and bans count it.
        has_account: Whether the name is an account's, and proven.
        rooms: The rooms that the member is in, by their folded names; the first is the one that a
            message is for which names none.
        answers: What the member is owed for what it said.
    """

    __slots__ = (
        "address",
        "answers",
        "has_account",
        "id",
        "key",
        "name",
        "rooms",
    )

    def __init__(self, id: str, name: str) -> None:
        self.id = id
        self.address = ""
        self.has_account = False
        self.rooms: dict[str, Room[Any]] = {}
        self.answers = Answers()
        self.rename(name)

    def rename(self, name: str) -> None:
        """Give the member another name."""
        self.name = name
        self.key = fold(name)

    def all_answered(self) -> None:
        """Act on all that the member said having its answer."""


M = TypeVar("M", bound=Member)
"""What a member is, to those who carry what is said."""


class Room(Generic[M]):
    """A room that someone is in.

    Attributes:
        key: Its folded name.
        name: What it is called.
        stream: The key of its stream in the store.
        epoch: The name of its order; see `chatd.storage.interface`.
        seq: The place of the last message that was delivered in it.
        last_id: The id of that message; None where it is not kept.
        topic: What it is about.
        members: Who hears what is said in it, by their ids.
        ahead: Up to which place members have what is still to be said, as it is on pages that they
            read, by the members' ids; `sys.maxsize` while a member is reading.
        holds: For how many reasons it must stay although nobody is in it.
    """

    __slots__ = (
        "_sessions",
        "ahead",
        "epoch",
        "holds",
        "key",
        "last_id",
        "members",
        "name",
        "seq",
        "stream",
        "topic",
    )

    def __init__(self, key: str, head: Head) -> None:
        self.key = key
        self.name = head.name
        self.stream = room_stream(key)
        self.epoch = head.epoch
        self.seq = head.seq
        self.last_id = head.last_id
        self.topic = head.topic
        self.members: dict[str, M] = {}
        self.ahead: dict[str, int] = {}
        self.holds = 0
        # How many sessions each has, by folded name: one who has two comes and goes once.
        self._sessions: dict[str, int] = {}

    @property
    def count(self) -> int:
        """How many are in it; one who has several sessions counts once."""
        return len(self._sessions)

    @property
    def is_needed(self) -> bool:
        """Whether anything still depends on it."""
        return bool(self._sessions or self.holds)

    def add(self, member: M) -> bool:
        """Let a member in, and say whether nobody of that name was in before."""
        self.members[member.id] = member
        sessions = self._sessions.get(member.key, 0)
        self._sessions[member.key] = sessions + 1
        return not sessions

    def remove(self, member: M) -> bool:
        """Let a member out, and say whether nobody of that name is in any more."""
        self.members.pop(member.id, None)
        self.ahead.pop(member.id, None)
        sessions = self._sessions.pop(member.key) - 1
        if sessions:
            self._sessions[member.key] = sessions
        return not sessions

    def has(self, member: M) -> bool:
        """Whether anybody of a member's name is in it."""
        return member.key in self._sessions

    def delivered(self, message: Message) -> None:
        """Take note that a message was delivered in it."""
        self.seq = message.seq or self.seq
        self.last_id = message.id
        if self.ahead:
            self.ahead = {id: seq for id, seq in self.ahead.items() if seq > self.seq}

    def has_read(self, member: M, seq: int) -> None:
        """Take note that a member has, or is told otherwise, all up to a place."""
        if seq > self.seq:
            self.ahead[member.id] = seq
        else:
            self.ahead.pop(member.id, None)

    def readers_of(self, message: Message) -> list[M]:
        """Return the members that have a message already which is to be said."""
        if message.seq is None:
            return []
        return [self.members[id] for id, seq in self.ahead.items() if seq >= message.seq]

    def standing(self) -> dict[str, Any]:
        """Return where its order stands, as members are told: `room`, `epoch`, `seq`, `last_id`."""
        last = {} if self.last_id is None else {"last_id": self.last_id}
        return {"room": self.name, "epoch": self.epoch, "seq": self.seq, **last}

    def names(self) -> Iterable[tuple[str, str]]:
        """Return the folded name and the name of each who is in it, once each."""
        return {member.key: member.name for member in self.members.values()}.items()
