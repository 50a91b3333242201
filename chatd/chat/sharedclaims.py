"""`SharedClaims`: the names of the sessions of several daemons."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from chatd.backplane.interface import IBackplane
from chatd.chat.moderation import Target
from chatd.chat.names import fold
from chatd.errors import ErrorCode, RequestError, StoreError

__all__ = ["Held", "SharedClaims"]


class Held(NamedTuple):
    """A name that a session of this daemon has.

    Attributes:
        session: The session's id.
        name: The name, as it was claimed.
        is_account: Whether the session logged in to the account of the name.
    """

    session: str
    name: str
    is_account: bool


class SharedClaims:
    """Implements `chatd.chat.names.Claims` over a backplane.

    Args:
        backplane: Decides which session gets a name.
        check_bans: Reads the bans again, and raises the refusal of a name and an address that is
            banned.
    """

    def __init__(
        self, backplane: IBackplane, check_bans: Callable[[str, str], Awaitable[None]]
    ) -> None:
        self._backplane = backplane
        self._check_bans = check_bans
        self._held: dict[tuple[str, str], Held] = {}  # by the session and the folded name

    def __iter__(self) -> Iterator[Held]:
        """Iterate over the names that sessions of this daemon have."""
        return iter(list(self._held.values()))

    async def claim(
        self, names: Sequence[str], session: str, *, is_account: bool, address: str
    ) -> str:
        """See `chatd.chat.names.Claims`."""
        bans = [Target(name=fold(names[0])).text, Target(address=address).text]
        try:
            name = await self._backplane.claim(names, session, is_account=is_account, bans=bans)
        except StoreError:
            for each in names:  # the backplane may have done it all the same
                self._backplane.depart(session, each)
            raise
        except RequestError as error:
            if error.code == ErrorCode.BANNED:
                with suppress(StoreError):  # it is a ban all the same
                    await self._check_bans(names[0], address)
            if error.code != ErrorCode.NAME_TAKEN:
                raise
            raise RequestError(ErrorCode.NAME_TAKEN, f"the name {names[0]} is in use") from error
        self._held[session, fold(name)] = Held(session, name, is_account)
        return name

    def depart(self, session: str, name: str) -> None:
        """See `chatd.chat.names.Claims`."""
        self._held.pop((session, fold(name)), None)
        self._backplane.depart(session, name)

    def has(self, session: str, name: str) -> bool:
        """See `chatd.chat.names.Claims`."""
        return (session, fold(name)) in self._held

    def lose(self, sessions: Sequence[str]) -> None:
        """Note that sessions no longer have their names."""
        lost = set(sessions)
        self._held = {key: held for key, held in self._held.items() if held.session not in lost}
