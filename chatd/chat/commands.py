"""Commands: those that a member may give, with their fields and the fields of their RESULT.

The last nine are operators' commands; `chatd.chat.operatorcommands` and `chatd.chat.privaterooms`
run them.

======================  =========================================  =================================
command                 fields                                     RESULT
======================  =========================================  =================================
``join``                ``room, after?, epoch?, after_id?``        ``room, epoch, seq, last_id?,
                                                                   members, topic, recovered``
``leave``               ``room``                                   ``room``
``history``             ``room | with, after? | before?, limit?,   the messages, then ``room | with,
                        epoch?, after_id?``                        epoch, count, complete,
                                                                   recovered?``
``who``                 ``room, after?``                           ``room, members, names, away?,
                                                                   private?, next?``
``rooms``               ``after?``                                 ``rooms, next?``
``conversations``       ``after?``                                 ``conversations, next?``
``topic``               ``room, topic?``                           ``room, topic``
``name``                ``name``                                   ``name``
``away``                ``text?``                                  ``text``
``password``            ``old, new``                               nothing
``kick``                ``name | address, reason?``                ``kicked``
``ban``                 ``name | address, until?, reason?``        ``kicked``
``unban``               ``name | address``                         nothing
``bans``                ``after?``                                 ``bans, next?``
``private``             ``room``                                   ``room, invited, removed``
``public``              ``room``                                   ``room``
``invite``              ``room, name``                             ``room, name, has_account?``
``uninvite``            ``room, name``                             ``room, name, removed``
``invited``             ``room, after?``                           ``room, names, next?``
======================  =========================================  =================================

`chatd.chat.lists` explains ``next`` and the ``after`` of lists.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic

import msgspec

from chatd.chat import presence
from chatd.chat.accountcommands import AccountCommands, ChangePassword
from chatd.chat.away import MAX_AWAY
from chatd.chat.commandtable import Answer, CommandTable, Note
from chatd.chat.history import HistoryFields, JoinFields, history, join
from chatd.chat.lists import MAX_LISTED, ListFields, items_after
from chatd.chat.moderation import Bans, Operators
from chatd.chat.names import MAX_TOPIC, check_name, check_room, fold
from chatd.chat.operatorcommands import OperatorCommands
from chatd.chat.privaterooms import PrivateRoomCommands
from chatd.chat.roomlist import room_list
from chatd.chat.rooms import M
from chatd.chat.roster import Roster
from chatd.errors import ErrorCode, RequestError, StoreError
from chatd.wire.faults import plain_fault

__all__ = ["Commands"]


class _InRoom(msgspec.Struct):
    room: str


class _Who(msgspec.Struct):
    room: str
    after: str = ""


class _Topic(msgspec.Struct):
    room: str
    topic: str | None = None


class _Name(msgspec.Struct):
    name: str


class _Away(msgspec.Struct):
    text: str | None = None


class Commands(Generic[M]):
    """Runs the commands of members.

    Args:
        roster: The members and the rooms.
        bans: The bans in force.
        operators: The operators.
        note: Called with a line for the operator's log: the operator, the action and its target.
        store_failed: Called with the error when the store fails.
        unix_time: Returns the time in Unix seconds.
        change_password: Changes the password of a member's account.
        has_account: Returns whether an account of a name exists; None if the server cannot know.
    """

    def __init__(
        self,
        roster: Roster[M],
        bans: Bans,
        operators: Operators,
        note: Note,
        store_failed: Callable[[Exception], None],
        unix_time: Callable[[], float],
        change_password: ChangePassword[M],
        has_account: Callable[[str], bool | None] = lambda _: None,
    ) -> None:
        self._roster = roster
        self._bans = bans
        self._store_failed = store_failed
        self._commands: CommandTable = {
            "join": (JoinFields, self._join),
            "leave": (_InRoom, self._leave),
            "history": (HistoryFields, self._history),
            "who": (_Who, self._who),
            "rooms": (ListFields, self._rooms),
            "conversations": (ListFields, self._conversations),
            "topic": (_Topic, self._topic),
            "name": (_Name, self._name),
            "away": (_Away, self._away),
            **AccountCommands(change_password, note).by_name,
            **OperatorCommands(roster, operators, note, unix_time).by_name,
            **PrivateRoomCommands(roster, note, has_account).by_name,
        }

    async def run(self, member: M, header: dict[str, Any]) -> None:
        """Run a COMMAND, and answer it.

        Args:
            member: The member that gave the command.
            header: The COMMAND's header.

        Raises:
            RequestError: The command is refused: `unknown-command`, `bad-request`, `not-stored`, or
                a code of the command's own.
            SessionEnded: The session has ended.
        """
        command = self._commands.get(header["command"])
        if command is None:
            raise RequestError(
                ErrorCode.UNKNOWN_COMMAND, f"there is no command {header['command']}"
            )
        fields_type, method = command
        try:
            fields = msgspec.convert(header, fields_type)
        except msgspec.ValidationError as error:
            raise RequestError(ErrorCode.BAD_REQUEST, plain_fault(error)) from None
        try:
            await method(member, fields, Answer(self._roster.delivery, member, header["id"]))
        except StoreError as error:
            self._store_failed(error)
            raise RequestError(
                ErrorCode.NOT_STORED, "the server's store does not work now; try again later"
            ) from None

    async def _join(self, member: M, fields: JoinFields, answer: Answer[M]) -> None:
        await join(self._roster, member, fields.room, fields.since, answer)

    async def _leave(self, member: M, fields: _InRoom, answer: Answer[M]) -> None:
        room = self._roster.room_of(member, fields.room)
        self._roster.quit(member, room)
        answer({"room": room.name})

    async def _history(self, member: M, fields: HistoryFields, answer: Answer[M]) -> None:
        await history(self._roster, member, fields, answer)

    async def _who(self, member: M, fields: _Who, answer: Answer[M]) -> None:
        name = check_room(fields.room)
        key = fold(name)
        access = self._roster.access
        there = await self._roster.shared.inside(name, fields.after)
        if there is None or not access.may_know(member, key):
            raise RequestError(ErrorCode.NO_SUCH_ROOM, "nobody is in a room of that name")

        def with_away(named: tuple[str, str]) -> tuple[str, dict[str, str]]:
            key, name = named
            text = there.away_of(key)
            return name, {name: text} if text else {}

        items = ((each[0], each) for each in there.names)
        part, rest = items_after(items, fields.after, with_away)
        result = {"room": there.room, "members": there.size, "names": [name for name, _ in part]}
        texts = {name: text for _, away in part for name, text in away.items()}
        if texts:
            result["away"] = texts
        if access.is_private(key):
            result["private"] = True
        answer({**result, **rest})

    async def _rooms(self, member: M, fields: ListFields, answer: Answer[M]) -> None:
        rooms, rest = items_after(await room_list(self._roster, member, fields.after), fields.after)
        answer({"rooms": rooms, **rest})

    async def _conversations(self, member: M, fields: ListFields, answer: Answer[M]) -> None:
        found = {
            each.other: {
                "with": each.other,
                "epoch": each.head.epoch,
                "seq": each.head.seq,
                "last_id": each.head.last_id,
            }
            for each in await self._roster.store.conversations(
                member.key, fields.after, limit=MAX_LISTED
            )
        }
        conversations, rest = items_after(found.items(), fields.after)
        answer({"conversations": conversations, **rest})

    async def _topic(self, member: M, fields: _Topic, answer: Answer[M]) -> None:
        room = self._roster.room_of(member, fields.room)
        topic = fields.topic
        if topic is not None and topic != room.topic:
            _check_line(topic, MAX_TOPIC, "a topic")
            event = presence.topic_set(room.name, topic, member.name)
            await self._roster.shared.set_topic(room, event)
        answer({"room": room.name, "topic": room.topic if topic is None else topic})

    async def _name(self, member: M, fields: _Name, answer: Answer[M]) -> None:
        name = check_name(fields.name)
        self._bans.check(name, member.address)
        answer({"name": await self._roster.rename(member, name)})

    async def _away(self, member: M, fields: _Away, answer: Answer[M]) -> None:
        text = fields.text or ""
        _check_line(text, MAX_AWAY, "an away text")
        await self._roster.shared.set_away(member, text)
        answer({"text": text})


def _check_line(text: str, longest: int, what: str) -> None:
    """Check that a text fits in one line.

    Raises:
        RequestError: `bad-request`.
    """
    if len(text) > longest or not text.isprintable():
        raise RequestError(
            ErrorCode.BAD_REQUEST,
            f"{what} has at most {longest} characters, none of them a control character",
        )
