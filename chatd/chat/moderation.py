"""Moderation: who may kick and ban, and who is banned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import Protocol

import msgspec

from chatd.chat.addresses import plain_address, site_of
from chatd.chat.names import fold, fold_known
from chatd.chat.rooms import Member
from chatd.errors import ErrorCode, RequestError

__all__ = ["Ban", "Bans", "Lock", "Operators", "check_target"]


class Ban(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Someone who is kept out. A name, an address, or both are given.

    Attributes:
        name: The folded name that is refused, or None.
        address: The address that is refused, or None.
        until: When it ends, in Unix seconds; None if it does not.
        by: Who made it.
        made: When it was made, in Unix seconds.

    Raises:
        ValueError: Neither a name nor an address is given.
    """

    name: str | None = None
    address: str | None = None
    until: float | None = None
    by: str = ""
    made: float = 0.0

    def __post_init__(self) -> None:
        if self.name is None and self.address is None:
            raise ValueError("A ban needs a name or an address")


class Lock(Protocol):
    """Lets one in at a time, in the order in which they come; Twisted's `DeferredLock` is one."""

    def __aenter__(self) -> Awaitable[object]:
        """Wait until nobody else is in."""

    def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> Awaitable[bool | None]:
        """Let the next one in."""


class Bans:
    """Who is banned, by name or by address; an IPv6 one stands for its /64, as for `site_of`.

    A change is in force when it is kept. Changes are made one after the other: each begins with
    what the one before left, and what is kept is never older than what was kept before.

    Args:
        bans: Those that were made before.
        save: Keeps all that are in force, at each change.
        lock: Who makes a change holds it.
        unix_time: What tells the time, in Unix seconds.
    """

    def __init__(
        self,
        bans: Iterable[Ban] = (),
        *,
        save: Callable[[list[Ban]], Awaitable[None]],
        lock: Lock,
        unix_time: Callable[[], float],
    ) -> None:
        self._save = save
        self._lock = lock
        self._unix_time = unix_time
        self._bans: list[Ban] = []
        self._of: defaultdict[tuple[str | None, str | None], list[Ban]]  # by one of the two
        self.replace(bans)

    def replace(self, bans: Iterable[Ban]) -> None:
        """Put other bans in force, instead of those that are."""
        # Those that a person wrote into the file may be spelled in their own way.
        self._bans = [
            msgspec.structs.replace(
                ban,
                name=ban.name and fold(ban.name),
                address=ban.address and (plain_address(ban.address) or ban.address),
            )
            for ban in bans
        ]
        self._of = defaultdict(list)
        for ban in self._bans:
            if ban.name is not None:
                self._of[ban.name, None].append(ban)
            if ban.address is not None:
                self._of[None, site_of(ban.address)].append(ban)

    def in_force(self) -> list[Ban]:
        """Return the bans that have not ended."""
        now = self._unix_time()
        return [ban for ban in self._bans if _is_in_force(ban, now)]

    def check(self, name: str | None, address: str) -> None:
        """Refuse who is banned.

        Raises:
            RequestError: `banned`.
        """
        key = None if name is None else fold(name)
        now = self._unix_time()
        for ban in (*self._of.get((key, None), ()), *self._of.get((None, site_of(address)), ())):
            if _is_in_force(ban, now):
                raise RequestError(ErrorCode.BANNED, "you are banned from this server")

    async def add(self, ban: Ban) -> None:
        """Put a ban in force, instead of an earlier one of the same.

        Raises:
            StoreError: It cannot be kept; then it is not in force.
        """
        async with self._lock:
            bans = [each for each in self.in_force() if _key(each) != _key(ban)]
            await self._save([*bans, ban])
            self.replace([*bans, ban])

    async def remove(self, name: str | None, address: str | None) -> bool:
        """Lift a ban, and say whether there was one.

        Raises:
            StoreError: It cannot be kept; then the ban stays in force.
        """
        async with self._lock:
            bans = self.in_force()
            rest = [ban for ban in bans if _key(ban) != (name, address and site_of(address))]
            if len(rest) == len(bans):
                return False
            await self._save(rest)
            self.replace(rest)
            return True

    async def reload(self, load: Callable[[], Iterable[Ban]]) -> None:
        """Put those in force that were kept, when no change is under way any more.

        Args:
            load: Reads them; what it raises is raised here, and nothing changes.
        """
        async with self._lock:
            self.replace(load())

    async def finish_saving(self) -> None:
        """Wait until no change is under way any more."""
        async with self._lock:
            pass


def _is_in_force(ban: Ban, now: float) -> bool:
    return ban.until is None or ban.until > now


def _key(ban: Ban) -> tuple[str | None, str | None]:
    return ban.name, ban.address and site_of(ban.address)


class Operators:
    """Who may kick and ban.

    Args:
        names: Their names.
        needs_account: Whether the name must be an account's, and proven. Without accounts, whoever
            takes the name is the operator.
    """

    def __init__(self, names: Iterable[str] = (), *, needs_account: bool) -> None:
        self._needs_account = needs_account
        self.replace(names)

    def replace(self, names: Iterable[str]) -> None:
        """Put others in their place."""
        self._keys = frozenset(map(fold, names))

    def check(self, member: Member) -> None:
        """Refuse who is no operator.

        Raises:
            RequestError: `not-allowed`.
        """
        is_proven = member.has_account or not self._needs_account
        if member.key not in self._keys or not is_proven:
            raise RequestError(ErrorCode.NOT_ALLOWED, "only operators may do that")


def check_target(name: str | None, address: str | None) -> tuple[str | None, str | None]:
    """Return the folded name or the address that is meant.

    Raises:
        RequestError: `bad-request`: not exactly one of the two is given, or it is no address; or
            `bad-name`.
    """
    if name is not None and address is None:
        return fold_known(name), None
    if address is not None and name is None:
        plain = plain_address(address)
        if plain is not None:
            return None, plain
        raise RequestError(
            ErrorCode.BAD_REQUEST, "an address is that of an IP, or uid: and a user's number"
        )
    raise RequestError(ErrorCode.BAD_REQUEST, "give a name, or an address")
