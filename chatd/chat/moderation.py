"""Moderation: bans, and the operators."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from math import ceil
from typing import Any

import msgspec

from chatd.chat.addresses import plain_address, site_of
from chatd.chat.interfaces import Lock, Person
from chatd.chat.names import MAX_TOPIC, fold, fold_known
from chatd.chat.rooms import Member
from chatd.errors import ErrorCode, RequestError

__all__ = ["END_OF_TIME", "Ban", "Bans", "Operators", "Target"]

END_OF_TIME = 253_402_300_800.0
"""Each ban that ends does so before this time, in Unix seconds: the year 10000, beyond the range of
Python's `datetime`."""
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
"""The units in which a banned person is told when the ban ends, with their lengths in seconds."""
_LONG_S = 10_000 * 86_400
"""If a ban lasts longer than this, in seconds, the banned person is told no end."""


class Target(msgspec.Struct, frozen=True):
    """The sessions that a kick or a ban is about: those of a name, or those of a site.

    Attributes:
        name: The folded name, or None.
        address: An address of the site in the form that members have, or None; see `site_of`.
    """

    name: str | None = None
    address: str | None = None

    @classmethod
    def of(cls, name: str | None, address: str | None) -> Target:
        """Return the target that an operator's command gives.

        Raises:
            RequestError: `bad-request`: both or neither are given, or the address is wrong; or
                `bad-name`.
        """
        if name is not None and address is None:
            return cls(name=fold_known(name))
        if address is not None and name is None:
            plain = plain_address(address)
            if plain is not None:
                return cls(address=plain)
            raise RequestError(
                ErrorCode.BAD_REQUEST, "an address is an IP address, or uid: and a user's number"
            )
        raise RequestError(ErrorCode.BAD_REQUEST, "give a name, or an address")

    def __str__(self) -> str:
        """Return the name or the address."""
        return self.name or self.address or ""

    @property
    def key(self) -> tuple[str | None, str | None]:
        """The name and the site, by which targets are compared."""
        return self.name, self.address and site_of(self.address)

    @property
    def text(self) -> str:
        """The key as a text, by which a backplane compares targets."""
        name, site = self.key
        return f"address {site}" if name is None else f"name {name}"

    def is_of(self, member: Member) -> bool:
        """Return whether the target includes a member."""
        if self.name is not None:
            return member.key == self.name
        return self.key == (None, site_of(member.address))


class Ban(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A ban of a name, of an address, or of both.

    Attributes:
        name: The folded name that is refused, or None.
        address: The address that is refused, or None.
        until: When the ban ends, in Unix seconds; None if it does not end.
        by: The name of the operator that made the ban.
        made: When the ban was made, in Unix seconds.
        reason: The operator's reason, which the banned person is told; or empty.

    Raises:
        ValueError: Neither a name nor an address is given, or the reason is not one line of up to
            256 characters.
    """

    name: str | None = None
    address: str | None = None
    until: float | None = None
    by: str = ""
    made: float = 0.0
    reason: str = ""

    def __post_init__(self) -> None:
        if self.name is None and self.address is None:
            raise ValueError("A ban needs a name or an address")
        if len(self.reason) > MAX_TOPIC or not self.reason.isprintable():
            raise ValueError(f"A reason is one line of up to {MAX_TOPIC} characters")

    @property
    def fields(self) -> dict[str, Any]:
        """The ban as JSON values; without a reason, as a version that keeps none has it."""
        fields: dict[str, Any] = msgspec.to_builtins(self)
        if not self.reason:
            del fields["reason"]
        return fields

    @property
    def targets(self) -> list[Target]:
        """The name, the address, or both."""
        name = [] if self.name is None else [Target(name=self.name)]
        return name if self.address is None else [*name, Target(address=self.address)]

    def refusal(self, now: float) -> str:
        """Return the text for a banned person, which tells when the ban ends, if it does, and why.

        Args:
            now: The time in Unix seconds.
        """
        why = f": {self.reason}" if self.reason else ""
        left_s = None if self.until is None else self.until - now
        if left_s is None or left_s > _LONG_S:
            return f"you are banned from this server{why}"
        unit, size = next((each for each in _UNITS if left_s >= 2 * each[1]), _UNITS[-1])
        number = ceil(left_s / size)
        end = f"the ban ends in {number} {unit}{'s' if number != 1 else ''}"
        return f"you are banned from this server; {end}{why}"


class Bans:
    """The bans by name and by address; a ban of an IPv6 address covers its /64, see `site_of`.

    A change is in force once it is saved. Changes happen one after the other: each begins with
    the result of the change before, and an older list never replaces a newer list in the file.

    Beside these bans of this daemon there are those that a backplane keeps for all daemons; see
    `hear`.

    Args:
        bans: The saved bans.
        save: Saves all bans in force, at each change; None to keep them in memory only.
        lock: Held during each change, such as a `twisted.internet.defer.DeferredLock`.
        unix_time: Returns the time in Unix seconds.
    """

    def __init__(
        self,
        bans: Iterable[Ban] = (),
        *,
        save: Callable[[list[Ban]], Awaitable[None]] | None = None,
        lock: Lock,
        unix_time: Callable[[], float],
    ) -> None:
        self._save = save
        self._lock = lock
        self._unix_time = unix_time
        self._bans: list[Ban] = []
        self._heard: list[Ban] = []
        self._of: defaultdict[tuple[str | None, str | None], list[Ban]]  # by name or by site
        self._heard_of: dict[tuple[str | None, str | None], Ban]
        self.replace(bans)

    def replace(self, bans: Iterable[Ban]) -> None:
        """Replace the bans in force with others."""
        # A person may have written names and addresses into the file in another spelling.
        self._use(
            [
                msgspec.structs.replace(
                    ban,
                    name=ban.name and fold(ban.name),
                    address=ban.address and (plain_address(ban.address) or ban.address),
                )
                for ban in bans
            ],
            self._heard,
        )

    def hear(self, ban: Ban) -> None:
        """Put a ban in force that a backplane keeps."""
        self._use(self._bans, [*(each for each in self._heard if _key(each) != _key(ban)), ban])

    def forget(self, target: Target) -> None:
        """Lift a ban that a backplane kept."""
        self._use(self._bans, [each for each in self._heard if _key(each) != target.key])

    def hear_all(self, bans: Iterable[Ban]) -> None:
        """Put all bans in force that a backplane keeps, and no others of its bans."""
        self._use(self._bans, list(bans))

    def _use(self, own: list[Ban], heard: list[Ban]) -> None:
        self._bans, self._heard = own, heard
        self._of = defaultdict(list)
        for ban in (*own, *heard):
            for target in ban.targets:
                self._of[target.key].append(ban)
        self._heard_of = {target.key: ban for ban in heard for target in ban.targets}

    def in_force(self) -> list[Ban]:
        """Return the bans that have not ended."""
        return [*self._own(), *(ban for ban in self._heard if _is_in_force(ban, self._unix_time()))]

    def _own(self) -> list[Ban]:
        """Return the bans in force of this daemon."""
        now = self._unix_time()
        return [ban for ban in self._bans if _is_in_force(ban, now)]

    def check(self, name: str | None, address: str) -> None:
        """Refuse a member that is banned.

        Args:
            name: The member's name; None if it has none yet.
            address: The member's address.

        Raises:
            RequestError: `banned`.
        """
        key = None if name is None else fold(name)
        now = self._unix_time()
        for ban in (*self._of.get((key, None), ()), *self._of.get((None, site_of(address)), ())):
            if _is_in_force(ban, now):
                raise RequestError(ErrorCode.BANNED, ban.refusal(now))

    def heard_of(self, member: Member) -> tuple[Ban, str] | None:
        """Return a ban in force that a backplane keeps and that includes a member, or None.

        Beside the ban, there is the text for the member.
        """
        now = self._unix_time()
        for key in ((member.key, None), (None, site_of(member.address))):
            ban = self._heard_of.get(key)
            if ban is not None and _is_in_force(ban, now):
                return ban, ban.refusal(now)
        return None

    async def add(self, ban: Ban) -> None:
        """Put a ban in force; it replaces an earlier ban of the same name and address.

        Raises:
            StoreError: The ban cannot be saved; then it is not in force.
        """
        async with self._lock:
            bans = [each for each in self._own() if _key(each) != _key(ban)]
            await self._change([*bans, ban])

    async def remove(self, target: Target) -> bool:
        """Lift the ban of a name or of a site, and return whether there was a ban.

        Raises:
            StoreError: The change cannot be saved; then the ban stays in force.
        """
        async with self._lock:
            bans = self._own()
            rest = [ban for ban in bans if _key(ban) != target.key]
            if len(rest) == len(bans):
                return False
            await self._change(rest)
            return True

    async def _change(self, bans: list[Ban]) -> None:
        if self._save is not None:
            await self._save(bans)
        self.replace(bans)

    async def reload(self, load: Callable[[], Iterable[Ban]]) -> None:
        """Put the saved bans in force, after all changes under way.

        Args:
            load: Reads the saved bans. If it raises an error, the bans in force stay, and the error
                is raised here.
        """
        async with self._lock:
            self.replace(load())

    async def finish_saving(self) -> None:
        """Wait until no change is under way."""
        async with self._lock:
            pass


def _is_in_force(ban: Ban, now: float) -> bool:
    return ban.until is None or ban.until > now


def _key(ban: Ban) -> tuple[str | None, str | None]:
    return Target(ban.name, ban.address).key


class Operators:
    """The names that may kick and ban, and with accounts, enter and manage private rooms.

    Args:
        names: The names.
        needs_account: Whether an operator must have logged in to the account of the name. Without
            accounts, any member with the name is an operator.

    Attributes:
        names: The names, as they were given.
        needs_account: See above.
    """

    def __init__(self, names: Iterable[str] = (), *, needs_account: bool) -> None:
        self.needs_account = needs_account
        self.replace(names)

    def replace(self, names: Iterable[str]) -> None:
        """Replace the names with others."""
        self.names = tuple(names)
        self._keys = frozenset(map(fold, self.names))

    def includes(self, person: Person) -> bool:
        """Return whether a person is an operator."""
        return person.key in self._keys and (person.has_account or not self.needs_account)

    def check(self, person: Person) -> None:
        """Refuse a person that is not an operator.

        Raises:
            RequestError: `not-allowed`.
        """
        if not self.includes(person):
            raise RequestError(ErrorCode.NOT_ALLOWED, "only operators may do that")
