"""`OneDaemon`: the chat of one daemon, which shares nothing with others."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping, Sequence
from heapq import nsmallest
from typing import Generic

from chatd.chat import presence
from chatd.chat.away import away_of
from chatd.chat.interfaces import Person
from chatd.chat.lists import MAX_LISTED
from chatd.chat.moderation import Ban, Bans, Target
from chatd.chat.names import LocalClaims, fold
from chatd.chat.rooms import M, Room
from chatd.chat.roster import Roster
from chatd.chat.shared import AccessChange, Ending, ListedRoom, RoomNames
from chatd.storage.values import Entry, Outcome
from chatd.wire.messages import Message

__all__ = ["OneDaemon"]


class OneDaemon(Generic[M]):
    """Implements `chatd.chat.shared.Shared` for one daemon.

    Args:
        roster: The members and the rooms.
        bans: The bans in force.
    """

    def __init__(self, roster: Roster[M], bans: Bans) -> None:
        self.claims = LocalClaims()
        self._roster = roster
        self._bans = bans

    # Messages

    def append(self, entries: Sequence[Entry]) -> Awaitable[Sequence[Outcome]]:
        """See `Shared`."""
        return self._roster.store.append(entries)

    # Rooms

    def entered(self, room: Room[M], member: M) -> None:
        """See `Shared`."""
        if self._announces(len(room.members)):
            self._roster.publish(room, (presence.joined(room.name, member.name),))

    def left(
        self,
        room: Room[M],
        names: Sequence[str],
        why: Mapping[str, str],
        *,
        sessions: int,
        is_silent: bool,
    ) -> None:
        """See `Shared`."""
        if not is_silent and self._announces(sessions):
            for name in names:
                self._roster.publish(room, (presence.left(room.name, name, **why),))

    async def renamed(self, member: M, old_name: str) -> None:
        """See `Shared`."""
        rooms = [room for room in member.rooms.values() if self._announces(len(room.members))]
        self._roster.tell_renamed(rooms, old_name, member.name, but=member.id)

    def tell_room(self, key: str, event: Message) -> None:
        """See `Shared`."""
        room = self._roster.rooms.get(key)
        if room is not None and room.members:
            self._roster.publish(room, (event,))

    async def set_topic(self, room: Room[M], event: Message) -> None:
        """See `Shared`."""
        assert isinstance(event.header, dict)
        topic = event.header["topic"]
        await self._roster.store.set_topic(room.stream, topic)
        room.topic = topic
        self.tell_room(room.key, event)

    async def elsewhere(self, room: Room[M], member: M) -> int:
        """See `Shared`."""
        return 0

    async def inside(self, name: str, after: str) -> RoomNames | None:
        """See `Shared`."""
        room = self._roster.rooms.get(fold(name))
        if room is None or not room.count:
            return None
        return RoomNames(room.name, room.count, room.names(), self._away_of)

    async def peopled(self, person: Person, after: str) -> dict[str, ListedRoom]:
        """See `Shared`."""
        rooms, may_know = self._roster.rooms, self._roster.access.may_know
        keys = (
            key
            for key, room in rooms.items()
            if room.count and key > after and may_know(person, key)
        )
        first = [rooms[key] for key in nsmallest(MAX_LISTED, keys)]
        return {room.key: ListedRoom(room.name, room.count, room.topic) for room in first}

    # Away texts and direct messages

    async def set_away(self, member: M, text: str) -> None:
        """See `Shared`."""
        if text:
            self._roster.away.begin(member, text)
        else:
            self._roster.away.end(self._roster.sessions_of(member.name))

    def tell_if_unread(self, author: M, message: Message) -> None:
        """See `Shared`."""
        assert message.to is not None
        assert message.id is not None
        sessions = self._roster.sessions_of(message.to)
        if not sessions:
            event = presence.absent(message.to, message.id)
        else:
            away = self._roster.away.news(author, sessions[0].key, sessions)
            if away is None:
                return
            event = presence.away(message.to, away.text, message.id)
        self._roster.delivery.tell(author, (event,))

    # Operators

    async def end(self, ending: Ending) -> int:
        """See `Shared`."""
        return self._roster.end_all(ending)

    async def add_ban(self, ban: Ban) -> None:
        """See `Shared`."""
        await self._bans.add(ban)

    async def remove_ban(self, target: Target) -> bool:
        """See `Shared`."""
        return await self._bans.remove(target)

    async def bans(self) -> list[Ban]:
        """See `Shared`."""
        return self._bans.in_force()

    # Private rooms

    async def refresh_access(self) -> None:
        """See `Shared`."""

    async def accounts_inside(self, room: Room[M]) -> Collection[Person]:
        """See `Shared`."""
        return tuple(room.members.values())

    async def access_changed(self, change: AccessChange) -> int:
        """See `Shared`."""
        return self._roster.follow(change)

    # Within

    def _announces(self, sessions: int) -> bool:
        return 1 < sessions <= self._roster.policy.presence_limit

    def _away_of(self, key: str) -> str:
        away = away_of(self._roster.sessions_of(key))
        return "" if away is None else away.text
