"""The command `password`, with which people change the passwords of their own accounts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic

import msgspec

from chatd.chat.commandtable import Answer, CommandTable, Note
from chatd.chat.rooms import M

__all__ = ["AccountCommands", "ChangePassword"]

ChangePassword = Callable[[M, str, str], Awaitable[None]]
"""Changes the password of a member's account, from the present to a new password."""


class _Password(msgspec.Struct):
    old: str
    new: str

    def __repr__(self) -> str:
        return "_Password(…)"


class AccountCommands(Generic[M]):
    """Runs the command `password`.

    Args:
        change_password: See `ChangePassword`; it refuses members without an account.
        note: Called with a line for the operator's log.

    Attributes:
        by_name: The command, by its name.
    """

    def __init__(self, change_password: ChangePassword[M], note: Note) -> None:
        self._change_password = change_password
        self._note = note
        self.by_name: CommandTable = {"password": (_Password, self._password)}

    async def _password(self, member: M, fields: _Password, answer: Answer[M]) -> None:
        await self._change_password(member, fields.old, fields.new)
        self._note(f"{member.name} changed the password of the account")
        answer({})
