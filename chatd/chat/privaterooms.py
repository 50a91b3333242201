"""Operators' commands for private rooms: `private`, `public`, `invite`, `uninvite`, `invited`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic

import msgspec

from chatd.chat import presence
from chatd.chat.commandtable import Answer, CommandTable, Note
from chatd.chat.lists import items_after
from chatd.chat.names import check_room, fold
from chatd.chat.rooms import M
from chatd.chat.roster import Roster
from chatd.chat.shared import AccessChange
from chatd.storage.privateroom import PrivateRoom

__all__ = ["PrivateRoomCommands"]


class _InRoom(msgspec.Struct):
    room: str


class _Invite(_InRoom):
    name: str


class _Invited(_InRoom):
    after: str = ""


class PrivateRoomCommands(Generic[M]):
    """Runs the commands for private rooms, and refuses them from all but operators.

    Args:
        roster: The members and the rooms; its `access` holds the private rooms.
        note: Called with a line for the operator's log.
        has_account: Returns whether an account of a name exists; None if the server cannot know.

    Attributes:
        by_name: The commands, by name.
    """

    def __init__(
        self, roster: Roster[M], note: Note, has_account: Callable[[str], bool | None]
    ) -> None:
        self._roster = roster
        self._has_account = has_account
        self._note = note
        self.by_name: CommandTable = {
            "private": (_InRoom, self._private),
            "public": (_InRoom, self._public),
            "invite": (_Invite, self._invite),
            "uninvite": (_Invite, self._uninvite),
            "invited": (_Invited, self._list),
        }

    async def _private(self, member: M, fields: _InRoom, answer: Answer[M]) -> None:
        self._room_for(member, fields.room)
        shared = self._roster.shared
        there = await self._roster.open(fields.room)  # it knows how the room was first spelled
        try:
            await shared.refresh_access()
            inside = await shared.accounts_inside(there)
            room = await self._roster.access.make_private(there.key, there.name, inside)
            removed = await shared.access_changed(AccessChange(there.key, room, member.name))
            self._tell_changed(room, member, private=True)
            self._note(
                f"{member.name} made {room.name} private (invited names: {len(room.invited)}, "
                f"removed sessions: {removed})"
            )
            answer({"room": room.name, "invited": len(room.invited), "removed": removed})
        finally:
            self._roster.close(there)

    async def _public(self, member: M, fields: _InRoom, answer: Answer[M]) -> None:
        _, key = self._room_for(member, fields.room)
        await self._roster.shared.refresh_access()
        room = await self._roster.access.make_public(key)
        await self._roster.shared.access_changed(AccessChange(key, None, member.name))
        self._tell_changed(room, member, private=False)
        self._note(f"{member.name} made {room.name} public")
        answer({"room": room.name})

    async def _invite(self, member: M, fields: _Invite, answer: Answer[M]) -> None:
        _, key = self._room_for(member, fields.room)
        shared = self._roster.shared
        await shared.refresh_access()
        room = await self._roster.access.invite(key, fields.name)
        await shared.access_changed(AccessChange(key, room, member.name, fields.name))
        self._note(f"{member.name} invited {fields.name} to {room.name}")
        known = self._has_account(fields.name)
        answer(
            {
                "room": room.name,
                "name": fields.name,
                **({} if known is None else {"has_account": known}),
            }
        )

    async def _uninvite(self, member: M, fields: _Invite, answer: Answer[M]) -> None:
        _, key = self._room_for(member, fields.room)
        shared = self._roster.shared
        await shared.refresh_access()
        room = await self._roster.access.uninvite(key, fields.name)
        removed = await shared.access_changed(AccessChange(key, room, member.name))
        self._note(
            f"{member.name} uninvited {fields.name} from {room.name} (removed sessions: {removed})"
        )
        answer({"room": room.name, "name": fields.name, "removed": removed})

    async def _list(self, member: M, fields: _Invited, answer: Answer[M]) -> None:
        _, key = self._room_for(member, fields.room)
        room = self._roster.access.private(key)
        names, rest = items_after(((name, name) for name in room.invited), fields.after)
        answer({"room": room.name, "names": names, **rest})

    def _tell_changed(self, room: PrivateRoom, operator: M, *, private: bool) -> None:
        """Tell the members of a room that it is private or public now."""
        there = self._roster.rooms.get(room.key)
        name = room.name if there is None else there.name
        changed = presence.room_changed(name, operator.name, private=private)
        self._roster.shared.tell_room(room.key, changed)

    def _room_for(self, operator: M, room: str) -> tuple[str, str]:
        """Return the name and the folded name of a room, if the member may change it."""
        self._roster.access.check_operator(operator)
        name = check_room(room)
        return name, fold(name)
