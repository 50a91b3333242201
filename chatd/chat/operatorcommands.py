"""Operators' commands: `kick`, `ban`, `unban` and `bans`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Generic

import msgspec

from chatd.chat.commandtable import Answer, CommandTable, Note
from chatd.chat.lists import ListFields, items_after
from chatd.chat.moderation import END_OF_TIME, Ban, Operators, Target
from chatd.chat.names import MAX_TOPIC
from chatd.chat.rooms import M
from chatd.chat.roster import Roster
from chatd.chat.shared import Ending
from chatd.errors import ErrorCode, RequestError

__all__ = ["OperatorCommands"]


class _Target(msgspec.Struct):
    name: str | None = None
    address: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None


class _Kick(_Target):
    reason: Annotated[str, msgspec.Meta(max_length=MAX_TOPIC)] = ""


class _Ban(_Kick):
    until: Annotated[float, msgspec.Meta(lt=END_OF_TIME)] | None = None


class OperatorCommands(Generic[M]):
    """Runs the operators' commands, and refuses them from all other members.

    Args:
        roster: The sessions on the server.
        operators: The members that may give these commands.
        note: Called with a line for the operator's log: the operator, the action and its target.
        unix_time: Returns the time in Unix seconds.

    Attributes:
        by_name: The commands, by name.
    """

    def __init__(
        self,
        roster: Roster[M],
        operators: Operators,
        note: Note,
        unix_time: Callable[[], float],
    ) -> None:
        self._roster = roster
        self._operators = operators
        self._note = note
        self._unix_time = unix_time
        self.by_name: CommandTable = {
            "kick": (_Kick, self._kick),
            "ban": (_Ban, self._ban),
            "unban": (_Target, self._unban),
            "bans": (ListFields, self._list_bans),
        }

    async def _kick(self, member: M, fields: _Kick, answer: Answer[M]) -> None:
        self._operators.check(member)
        target = Target.of(fields.name, fields.address)
        _check_reason(fields.reason)
        if target.is_of(member):
            raise RequestError(ErrorCode.BAD_REQUEST, "you cannot kick yourself")
        reason = fields.reason or "an operator ended the session"
        kicked = await self._roster.shared.end(
            Ending(target, ErrorCode.KICKED, reason, member.name, fields.reason)
        )
        if kicked:
            self._note(f"{member.name} kicked {target} (sessions: {kicked}): {reason!r}")
        answer({"kicked": kicked})

    async def _ban(self, member: M, fields: _Ban, answer: Answer[M]) -> None:
        self._operators.check(member)
        target = Target.of(fields.name, fields.address)
        _check_reason(fields.reason)
        if target.is_of(member):
            raise RequestError(ErrorCode.BAD_REQUEST, "you cannot ban yourself")
        now = self._unix_time()
        if fields.until is not None and fields.until <= now:
            raise RequestError(ErrorCode.BAD_REQUEST, "the ban ends in the past")
        ban = Ban(
            name=target.name,
            address=target.address,
            until=fields.until,
            by=member.name,
            made=now,
            reason=fields.reason,
        )
        await self._roster.shared.add_ban(ban)
        kicked = await self._roster.shared.end(
            Ending(target, ErrorCode.BANNED, ban.refusal(now), member.name, fields.reason)
        )
        how_long = "for good" if fields.until is None else f"for {fields.until - now:.0f} s"
        quoted = f": {fields.reason!r}" if fields.reason else ""
        self._note(f"{member.name} banned {target} {how_long}{quoted}")
        answer({"kicked": kicked})

    async def _unban(self, member: M, fields: _Target, answer: Answer[M]) -> None:
        self._operators.check(member)
        target = Target.of(fields.name, fields.address)
        if not await self._roster.shared.remove_ban(target):
            raise RequestError(ErrorCode.BAD_REQUEST, f"{target} is not banned")
        self._note(f"{member.name} unbanned {target}")
        answer({})

    async def _list_bans(self, member: M, fields: ListFields, answer: Answer[M]) -> None:
        self._operators.check(member)
        found = {
            f"{ban.name or ''} {ban.address or ''}": ban.fields
            for ban in await self._roster.shared.bans()
        }
        bans, rest = items_after(found.items(), fields.after)
        answer({"bans": bans, **rest})


def _check_reason(reason: str) -> None:
    """Check that an operator's reason fits in one line.

    Raises:
        RequestError: `bad-request`.
    """
    if not reason.isprintable():
        raise RequestError(ErrorCode.BAD_REQUEST, "a reason is one line of text")
