"""Rooms: the members of a room, and where its stream stands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from chatd.chat.answers import Answers
from chatd.chat.away import Away
from chatd.chat.names import fold
from chatd.storage.streamkeys import room_stream
from chatd.storage.values import Head
from chatd.wire.messages import ChatHeader, Message

__all__ = ["LOBBY", "MAX_ROOMS", "PRESENCE_LIMIT", "M", "Member", "Room"]

LOBBY = "lobby"
"""The room in which every session begins, unless the operator or the session names others."""
MAX_ROOMS = 100
"""The most rooms that a session may be in."""
PRESENCE_LIMIT = 500
"""The most sessions of a room that announces arrivals and departures."""


class Member:
    """A session in the chat.

    Attributes:
        id: The session's own id; several members may have the same name.
        name: The name.
        key: The folded name.
        address: The address of the client, as limits and bans count it.
        has_account: Whether the member logged in to the account of its name.
        rooms: The rooms that the member is in, by their folded names. The first is the room of
            messages that name none.
        answers: The order of the answers to the member's messages and commands.
        away: The session's away text, or None.
        told_away: The away texts that the session got: the number of the last text of each
            folded name. None if there is none.
    """

    __slots__ = (
        "address",
        "answers",
        "away",
        "has_account",
        "id",
        "key",
        "name",
        "rooms",
        "told_away",
    )

    def __init__(self, id: str, name: str) -> None:
        self.id = id
        self.address = ""
        self.has_account = False
        self.rooms: dict[str, Room[Any]] = {}
        self.answers = Answers()
        self.away: Away | None = None
        self.told_away: dict[str, int] | None = None
        self.rename(name)

    def rename(self, name: str) -> None:
        """Give the member another name."""
        self.name = name
        self.key = fold(name)

    def all_answered(self) -> None:
        """Act when all messages of the member are answered; a subclass may override this."""

    def entered(self, room: str) -> None:
        """Act when the member is in a room; a subclass may override this."""

    def departed(self, room: str) -> None:
        """Act when the member is no longer in a room; a subclass may override this."""


M = TypeVar("M", bound=Member)
"""The type of the members, for the parts that carry their messages."""


class Room(Generic[M]):
    """A room with members or holds.

    Attributes:
        key: The folded name.
        name: The name as it was first spelled.
        stream: The key of the room's stream in the store.
        epoch: The epoch of the stream; see `chatd.storage.interface`.
        seq: The place of the last delivered message.
        last_id: The id of that message; None if it is not kept.
        topic: The topic, or empty.
        members: The members that get the room's messages, by their ids.
        ahead: For members that read pages, by their ids: the place up to which the pages have the
            messages, of which some are not yet published. `sys.maxsize` while a member is reading.
        holds: How many holds keep the room although it is empty.
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
        # The number of sessions of each folded name: a name with two arrives and departs once.
        self._sessions: dict[str, int] = {}

    @property
    def count(self) -> int:
        """How many names are in the room; a name with several sessions counts once."""
        return len(self._sessions)

    @property
    def is_needed(self) -> bool:
        """Whether the room has a member or a hold."""
        return bool(self._sessions or self.holds)

    def add(self, member: M) -> bool:
        """Add a member, and return whether its name is new in the room."""
        self.members[member.id] = member
        sessions = self._sessions.get(member.key, 0)
        self._sessions[member.key] = sessions + 1
        return not sessions

    def remove(self, member: M) -> bool:
        """Remove a member, and return whether its name is no longer in the room."""
        self.members.pop(member.id, None)
        self.ahead.pop(member.id, None)
        sessions = self._sessions.pop(member.key) - 1
        if sessions:
            self._sessions[member.key] = sessions
        return not sessions

    def has(self, member: M) -> bool:
        """Return whether any session of a member's name is in the room."""
        return member.key in self._sessions

    def delivered(self, message: Message) -> None:
        """Take note that a message was delivered to the room."""
        header = message.header
        assert isinstance(header, ChatHeader)
        self.seq = header.seq or self.seq
        self.last_id = header.id
        if self.ahead:
            self.ahead = {id: seq for id, seq in self.ahead.items() if seq > self.seq}

    def stand_at(self, head: Head) -> None:
        """Take note that the stream has another epoch."""
        self.epoch, self.seq, self.last_id = head.epoch, head.seq, head.last_id
        self.topic = head.topic

    def behind(self, seq: int) -> list[M]:
        """Return the members that neither have the messages up to a place nor will read them."""
        return [each for id, each in self.members.items() if self.ahead.get(id, 0) < seq]

    def skip_to(self, seq: int) -> None:
        """Take note that the messages up to a place will not be delivered to the room."""
        self.seq, self.last_id = seq, None
        self.ahead = {id: place for id, place in self.ahead.items() if place > seq}

    def has_read(self, member: M, seq: int) -> None:
        """Note that a member gets all messages up to a place in another way."""
        if seq > self.seq:
            self.ahead[member.id] = seq
        else:
            self.ahead.pop(member.id, None)

    def readers_of(self, message: Message) -> list[M]:
        """Return the members that already have a message that is about to be published."""
        if message.seq is None:
            return []
        return [self.members[id] for id, seq in self.ahead.items() if seq >= message.seq]

    def standing(self) -> dict[str, Any]:
        """Return `room`, `epoch`, `seq` and `last_id`, as members get them."""
        last = {} if self.last_id is None else {"last_id": self.last_id}
        return {"room": self.name, "epoch": self.epoch, "seq": self.seq, **last}

    def names(self) -> Iterable[tuple[str, str]]:
        """Return the folded name and the name of each member, once for each name."""
        return {member.key: member.name for member in self.members.values()}.items()
