"""`Names`: which session of which node has which name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chatd.backplane.interface import Found, IBackplaneListener
from chatd.backplane.redis import keys
from chatd.backplane.redis.attachment import Attachment, in_parts
from chatd.backplane.redis.link import Link
from chatd.backplane.redis.script import load
from chatd.errors import ErrorCode, RequestError

__all__ = ["Names"]

_CLAIM, _RECLAIM, _DEPART = map(load, ("claim", "reclaim", "depart"))
_SET_AWAY, _FIND = map(load, ("setaway", "find"))
_BANNED, _TOO_MANY = -1, -2  # answers of `claim.lua`


class Names:
    """Decides which session has which name.

    Args:
        link: The link.
        fold: Returns the form of a name in which names are compared.
    """

    def __init__(self, link: Link, fold: Callable[[str], str]) -> None:
        self.listener: IBackplaneListener | None = None
        self._link = link
        self._fold = fold

    async def claim(
        self, names: Sequence[str], session: str, *, is_account: bool, bans: Sequence[str]
    ) -> str:
        """See `IBackplane`."""
        named = [text for name in names for text in (self._fold(name), name)]
        args = session, int(is_account), len(bans), *bans, *named
        number: int = await self._link.call(_CLAIM, [keys.key("bans")], args)
        if number == _BANNED:
            raise RequestError(ErrorCode.BANNED, "you are banned from this server")
        if number == _TOO_MANY:
            raise RequestError(
                ErrorCode.TOO_MANY_SESSIONS, "there are too many sessions of your account"
            )
        if not number:
            raise RequestError(ErrorCode.NAME_TAKEN, "none of the names is free")
        return names[number - 1]

    def depart(self, session: str, name: str) -> None:
        """See `IBackplane`."""
        self._link.cast(_DEPART, args=(session, self._fold(name)))

    async def set_away(self, session: str, name: str, text: str) -> None:
        """See `IBackplane`."""
        await self._link.call(_SET_AWAY, args=(session, self._fold(name), text))

    async def find(self, names: Sequence[str]) -> list[Found]:
        """See `IBackplane`."""
        if not names:
            return []
        found = await self._link.repeat_if_lost(  # an append waits for it
            lambda attachment: attachment.call(_FIND, args=names)
        )
        return [
            Found(name.decode(), sessions, (number, text.decode()) if text else None)
            for name, sessions, number, text in found
        ]

    async def attach(self, attachment: Attachment, kept: Sequence[bytes]) -> None:
        """Claim again the names of this node's sessions, and give up all others.

        Args:
            attachment: The attachment.
            kept: The claims of this node in Redis: session, NUL and folded name.
        """
        assert self.listener is not None
        present = list(self.listener.present())
        wanted = {f"{session}\0{self._fold(name)}" for session, name, _, _ in present}
        gone = {each.decode() for each in kept} - wanted
        for claims in in_parts(gone):
            departing = [text for claim in claims for text in claim.split("\0")]
            await attachment.call(_DEPART, args=departing)
        lost: list[str] = []
        for part in in_parts(present):
            args: list[str | int] = []
            for session, name, away, is_account in part:
                args += session, self._fold(name), name, int(is_account), away
            found = await attachment.call(_RECLAIM, args=args)
            lost += [session.decode() for session in found]
        if lost:
            self.listener.names_lost(lost)
