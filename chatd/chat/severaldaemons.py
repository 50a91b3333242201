"""`SeveralDaemons`: the chat of several daemons that share a backplane."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Generic, NamedTuple

import msgspec

from chatd.backplane.interface import IBackplane, KeptBan
from chatd.chat.commits import Start
from chatd.chat.interfaces import Person
from chatd.chat.lists import LIST_BYTES, MAX_LISTED
from chatd.chat.moderation import Ban, Bans, Target
from chatd.chat.names import GUEST, cursor_before, fold
from chatd.chat.questions import (
    AccessChanged,
    BanLifted,
    BanMade,
    EndSessions,
    Question,
    Renamed,
    Returned,
    sessions_in,
)
from chatd.chat.receivers import Receivers
from chatd.chat.rooms import M, Room
from chatd.chat.roster import Roster
from chatd.chat.shared import AccessChange, Ending, ListedRoom, RoomNames
from chatd.chat.sharedclaims import SharedClaims
from chatd.errors import ErrorCode, StoreError
from chatd.storage.streamkeys import room_stream
from chatd.storage.values import Entry, Outcome
from chatd.wire.messages import Message

__all__ = ["SeveralDaemons"]

_NAMES_AT_ONCE = 500
"""How many names one question looks up; the backplane does nothing else meanwhile."""


_NAME_BYTES = 8
"""How many bytes a name takes in the list of `who`, at least, besides its own."""
_NameInside = tuple[str, str, str]  # see `Inside.names`


class _Account(NamedTuple):
    """A `Person` on any daemon, with an account."""

    key: str
    has_account: bool = True


class SeveralDaemons(Generic[M]):
    """Implements `chatd.chat.shared.Shared` over a backplane.

    `chatd.chat.listener` has the other half: the changes of the other daemons.

    Args:
        roster: The members of this daemon, and the rooms that it has open.
        bans: The bans in force.
        backplane: The backplane of the daemons.
        start: Runs a coroutine; see `chatd.chat.commits.Start`.

    Attributes:
        backplane: See above.
        claims: The names of the sessions of this daemon.
    """

    def __init__(self, roster: Roster[M], bans: Bans, backplane: IBackplane, start: Start) -> None:
        self.claims = SharedClaims(backplane, self._check_bans)
        self._roster = roster
        self._bans = bans
        self.backplane = backplane
        self._start = start
        self._receivers = Receivers(roster, backplane, start)

    async def read_again(self) -> None:
        """Read the bans and the private rooms again, after the link was lost.

        A daemon without a lease is asked nothing, so it ends the sessions that were banned
        meanwhile here.

        Raises:
            StoreError: The backplane cannot read them.
        """
        await self.bans()
        self._end_banned()
        await self.refresh_access()
        self._roster.remove_strangers()

    def _end_banned(self) -> None:
        """End the sessions that the bans of the backplane include; a daemon's own bans end none."""
        for member in self._roster.everyone():
            found = self._bans.heard_of(member)
            if found is not None:
                ban, told = found
                self._roster.expel(member, ErrorCode.BANNED, told, by=ban.by, reason=ban.reason)

    # Messages

    async def append(self, entries: Sequence[Entry]) -> Sequence[Outcome]:
        """See `Shared`."""
        return await self.backplane.append(await self._receivers.address(entries))

    # Rooms

    def entered(self, room: Room[M], member: M) -> None:
        """See `Shared`."""
        self.backplane.enter(room.stream, member.name)

    def left(
        self,
        room: Room[M],
        names: Sequence[str],
        why: Mapping[str, str],
        *,
        sessions: int,
        is_silent: bool,
    ) -> None:
        """See `Shared`; the members on other daemons are told in any case."""
        given = {key: text for key, text in why.items() if text}
        for name in names:
            self.backplane.quit(room.stream, name, why=given)

    async def renamed(self, member: M, old_name: str) -> None:
        """See `Shared`; all daemons hear of it before the next messages of the member."""
        rooms = list(member.rooms.values())
        for room in rooms:
            self.backplane.quit(room.stream, old_name, why={}, is_silent=True)
            self.backplane.enter(room.stream, member.name, is_silent=True)
        if member.away is not None:
            text = member.away.text
            self._start(self.backplane.set_away(member.id, member.name, text))
        limit = self._roster.policy.presence_limit
        near = [room for room in rooms if room.count <= limit]
        self._roster.tell_renamed(near, old_name, member.name, but=member.id)
        if not rooms:
            return
        name = member.name
        try:
            counts = await self.backplane.count([room.stream for room in rooms])
        except StoreError:
            return  # no other daemon can be told; the member has the name all the same
        keys = [room.key for room, count in zip(rooms, counts, strict=True) if count <= limit]
        if keys:
            self._start(self._tell(Renamed(keys, old_name, name)))

    def tell_room(self, key: str, event: Message) -> None:
        """See `Shared`."""
        assert isinstance(event.header, dict)
        self.backplane.tell_room(room_stream(key), event.header)

    async def set_topic(self, room: Room[M], event: Message) -> None:
        """See `Shared`; the room has the topic when this daemon hears the EVENT."""
        assert isinstance(event.header, dict)
        await self.backplane.tell_topic(room.stream, event.header)

    async def elsewhere(self, room: Room[M], member: M) -> int:
        """See `Shared`."""
        found = await self.backplane.inside(room.stream, cursor_before(member.key), limit=1)
        is_inside = any(key == member.key for key, _, _ in found.names)
        counted_twice = is_inside and not room.has(member)
        return max(0, found.count - room.count - counted_twice)

    async def inside(self, name: str, after: str) -> RoomNames | None:
        """See `Shared`."""
        count, found = await self._names_that_fit(room_stream(fold(name)), after)
        if not count:
            return None
        room = await self._roster.open(name)  # it knows how the room was first spelled
        self._roster.close(room)
        texts = {key: text for key, _, text in found if text}
        names = [(key, spelled) for key, spelled, _ in found]
        return RoomNames(room.name, count, names, lambda key: texts.get(key, ""))

    async def _names_that_fit(self, stream: str, after: str) -> tuple[int, list[_NameInside]]:
        """Return how many names are in a room, and at least as many as fit in one list."""
        found: list[_NameInside] = []
        size = 0
        while True:
            page = await self.backplane.inside(stream, after, limit=_NAMES_AT_ONCE)
            found += page.names
            # No name takes fewer bytes in a list: otherwise `next` could be missing there.
            size += sum(_NAME_BYTES + len(f"{name}{text}".encode()) for _, name, text in page.names)
            if len(page.names) < _NAMES_AT_ONCE or size > LIST_BYTES:
                return page.count, found
            after = page.names[-1][0]

    async def peopled(self, person: Person, after: str) -> dict[str, ListedRoom]:
        """See `Shared`."""
        found: dict[str, ListedRoom] = {}
        while True:
            page = await self.backplane.peopled(after, limit=MAX_LISTED)
            for head, names in page:
                after = fold(head.name)
                if self._roster.access.may_know(person, after):
                    found[after] = ListedRoom(head.name, names, head.topic)
            if len(page) < MAX_LISTED or len(found) >= MAX_LISTED:
                return found

    # Away texts and direct messages

    async def set_away(self, member: M, text: str) -> None:
        """See `Shared`."""
        await self.backplane.set_away(member.id, member.name, text)
        if text:
            self._roster.away.begin(member, text)  # to tell the backplane again
            return
        self._roster.away.end(self._roster.sessions_of(member.name))
        self._start(self._tell(Returned(member.key)))

    def tell_if_unread(self, author: M, message: Message) -> None:
        """See `Shared`."""
        self._receivers.tell_if_unread(author, message)

    # Operators

    async def end(self, ending: Ending) -> int:
        """See `Shared`; if the others cannot be asked, no session ends."""
        elsewhere = await self._ask(EndSessions(ending))
        return elsewhere + self._roster.end_all(ending)

    async def add_ban(self, ban: Ban) -> None:
        """See `Shared`."""
        (target,) = ban.targets
        value = msgspec.json.encode(ban.fields)
        await self.backplane.keep_ban(KeptBan(target.text, ban.until, value))
        self._bans.hear(ban)
        await self._tell(BanMade(ban))

    async def _check_bans(self, name: str, address: str) -> None:
        """Refuse a session for a ban that this daemon has not heard of, with its end and reason."""
        await self.bans()
        self._bans.check(name, address)

    async def remove_ban(self, target: Target) -> bool:
        """See `Shared`; a ban that only this daemon has is lifted too."""
        was_own = await self._bans.remove(target)
        was_kept = await self.backplane.drop_ban(target.text)
        self._bans.forget(target)
        await self._tell(BanLifted(target))
        return was_own or was_kept

    async def bans(self) -> list[Ban]:
        """See `Shared`."""
        kept = await self.backplane.bans()
        self._bans.hear_all(ban for ban in map(_ban_of, kept) if ban is not None)
        return self._bans.in_force()

    # Private rooms

    async def refresh_access(self) -> None:
        """See `Shared`."""
        await self._roster.access.reload()

    async def accounts_inside(self, room: Room[M]) -> Collection[Person]:
        """See `Shared`."""
        accounts: list[Person] = []
        after = ""
        while True:
            page = await self.backplane.inside(room.stream, after, limit=_NAMES_AT_ONCE)
            # Names without this prefix belong to accounts: without them, no room is private.
            accounts += [_Account(key) for key, _, _ in page.names if not key.startswith(GUEST)]
            if len(page.names) < _NAMES_AT_ONCE:
                return accounts
            after = page.names[-1][0]

    async def access_changed(self, change: AccessChange) -> int:
        """See `Shared`."""
        return self._roster.follow(change) + await self._ask(AccessChanged(change))

    # Within

    async def _tell(self, question: Question) -> None:
        """Ask all other daemons; the answers do not matter."""
        await self._ask(question)

    async def _ask(self, question: Question) -> int:
        """Ask all other daemons, and return the number of sessions in their answers."""
        return sessions_in(await self.backplane.ask_all(question.fields))


def _ban_of(kept: KeptBan) -> Ban | None:
    """Return a kept ban; None for a ban of a newer version, which is in force all the same."""
    try:
        return msgspec.json.decode(kept.value, type=Ban)
    except msgspec.DecodeError:
        return None
