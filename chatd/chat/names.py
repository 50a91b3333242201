"""Names of members and rooms: which names are allowed, and which count as the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Awaitable, Sequence
from functools import lru_cache
from typing import Protocol

from chatd.errors import ErrorCode, RequestError

__all__ = [
    "GUEST",
    "MAX_NAME",
    "MAX_ROOM",
    "MAX_TOPIC",
    "Claims",
    "LocalClaims",
    "Names",
    "check_name",
    "check_room",
    "cursor_before",
    "fold",
    "fold_known",
]

MAX_NAME = 32
"""Longest name of a member, in characters."""
GUEST = "guest-"
"""Prefix of guest names on servers with accounts."""
MAX_ROOM = 64
"""Longest name of a room, in characters."""
MAX_TOPIC = 256
"""Longest topic of a room, in characters."""

# Characters that are invisible although Python counts them as printable. They have the property
# Default_Ignorable_Code_Point in Unicode's DerivedCoreProperties.txt: the variation selectors, and
# others. The blank of Braille (U+2800) is added, because it looks like a space.
_VARIATIONS = re.compile("[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]")


def check_name(name: str) -> str:
    """Return a member's name in Unicode's composed form (NFC), without variation selectors.

    Raises:
        RequestError: `bad-name`: the name is empty or too long, or it has a space, a control
            character or an invisible character.
    """
    return _check(name, MAX_NAME, ErrorCode.BAD_NAME, "a name")


def check_room(name: str) -> str:
    """Return a room's name in Unicode's composed form (NFC), without variation selectors.

    Raises:
        RequestError: `bad-room`: the name is empty or too long, or it has a space, a control
            character or an invisible character.
    """
    return _check(name, MAX_ROOM, ErrorCode.BAD_ROOM, "a room's name")


def _check(name: str, longest: int, code: ErrorCode, what: str) -> str:
    if len(name) <= 4 * longest:  # a longer name is refused anyway, and composing it costs time
        name = _composed(name)
    if not 0 < len(name) <= longest or not name.isprintable() or " " in name:
        raise RequestError(
            code,
            f"{what} has 1 to {longest} characters, none of them a space or a control character",
        )
    if not name.isascii() and _UNSEEN.search(name):
        raise RequestError(code, f"{what} cannot have invisible characters")
    if unicodedata.category(name[0]).startswith("M"):
        raise RequestError(code, f"{what} cannot begin with a combining mark")
    return name


def _composed(name: str) -> str:
    """Return a name in Unicode's composed form, without variation selectors."""
    if name.isascii():
        return name
    return unicodedata.normalize("NFC", _VARIATIONS.sub("", name))


@lru_cache(maxsize=4096)
def fold(name: str) -> str:
    """Return a name composed and casefolded: the same text for all names that count as the same."""
    return unicodedata.normalize("NFC", _composed(name).casefold())


def fold_known(name: str) -> str:
    """Return the folded form of a name that may be folded already.

    Case folding makes a name up to three times as long, so up to 3 × `MAX_NAME` characters are
    allowed.

    Raises:
        RequestError: `bad-name`: no name folds to this.
    """
    return fold(_check(name, 3 * MAX_NAME, ErrorCode.BAD_NAME, "a name"))


def cursor_before(key: str) -> str:
    """Return the text after which a sorted list of folded names goes on with this one.

    A list goes on after a text, so it must come before the name and after all lesser names: it is
    the name with a last character that is one less, and then the highest character of all, which is
    unprintable, so no name has it.
    """
    return f"{key[:-1]}{chr(ord(key[-1]) - 1)}\U0010ffff"


class Claims(Protocol):
    """Decides which session has which name."""

    def claim(
        self, names: Sequence[str], session: str, *, is_account: bool, address: str
    ) -> Awaitable[str]:
        """Give a session the first of these names that is free.

        Args:
            names: The names, at least one.
            session: The session's id.
            is_account: Whether the session logged in to the account of the name.
            address: The client's address.

        Raises:
            RequestError: `name-taken` if none is free; or `banned`.
            StoreError: Nobody can tell which names are free.
        """

    def depart(self, session: str, name: str) -> None:
        """Take a name back from a session."""

    def has(self, session: str, name: str) -> bool:
        """Return whether a session still has a name that it claimed."""


class LocalClaims:
    """The names of the sessions of one daemon."""

    def __init__(self) -> None:
        self._holders: dict[str, int] = {}
        self._accounts: set[str] = set()

    async def claim(
        self, names: Sequence[str], session: str, *, is_account: bool, address: str
    ) -> str:
        """See `Claims`; bans are checked elsewhere."""
        for name in names:
            key = fold(name)
            if key not in self._holders or (is_account and key in self._accounts):
                self._holders[key] = self._holders.get(key, 0) + 1
                if is_account:
                    self._accounts.add(key)
                return name
        raise RequestError(ErrorCode.NAME_TAKEN, f"the name {names[0]} is in use")

    def depart(self, session: str, name: str) -> None:
        """See `Claims`."""
        key = fold(name)
        holders = self._holders.pop(key, 0) - 1
        if holders > 0:
            self._holders[key] = holders
        else:
            self._accounts.discard(key)

    def has(self, session: str, name: str) -> bool:
        """See `Claims`; only the session itself gives its name back."""
        return True


class Names:
    """Gives out names.

    A name belongs to one member. An account's name belongs to all members that logged in to the
    account.

    Args:
        claims: Decides which session has which name.
        has_accounts: Whether the server has accounts. If it does, members without an account are
            guests, and their names begin with `GUEST`.
    """

    def __init__(self, claims: Claims, *, has_accounts: bool = False) -> None:
        self._claims = claims
        self._has_accounts = has_accounts
        self._reserved: set[str] = set()

    async def claim(
        self, name: str | None, session: str, *, is_account: bool = False, address: str = ""
    ) -> str:
        """Give out a name; the caller gives it back with `release`, also if the client has left.

        Args:
            name: The requested name, or None for a guest name.
            session: The session's id. A guest name has as many of its characters as are needed.
            is_account: Whether the name is that of an account to which the member logged in.
            address: The client's address.

        Raises:
            RequestError: `bad-name`, `name-taken`, `auth-required` for a guest; or `banned`.
            StoreError: See `Claims`.
        """
        if name is None:
            names = _guest_names(session)
        else:
            names = [self._check(name, is_account=is_account)]
        return await self._first_free(names, session, is_account=is_account, address=address)

    async def claim_like(self, name: str, session: str, *, address: str = "") -> str:
        """Give out a name; if it is in use, the name with a number, or else a guest name.

        Raises:
            RequestError: `banned`.
            StoreError: See `Claims`.
        """
        names: list[str] = []
        for number in range(1, 100):
            try:
                each = self._check(name if number == 1 else f"{name}-{number}", is_account=False)
            except RequestError:
                break
            names.append(each)
        names += _guest_names(session)
        return await self._first_free(names, session, is_account=False, address=address)

    def reserve(self, name: str) -> str:
        """Reserve a name for the server itself; no member gets it.

        Raises:
            RequestError: `bad-name`.
        """
        name = check_name(name)
        self._reserved.add(fold(name))
        return name

    def check_held(self, name: str, session: str) -> None:
        """Refuse a session that has lost its name since it was claimed.

        Raises:
            RequestError: `name-taken`.
        """
        if not self._claims.has(session, name):
            raise RequestError(ErrorCode.NAME_TAKEN, f"the name {name} is in use")

    def release(self, name: str, session: str) -> None:
        """Take a name back from a session."""
        self._claims.depart(session, name)

    async def _first_free(
        self, names: Sequence[str], session: str, *, is_account: bool, address: str
    ) -> str:
        free = [name for name in names if fold(name) not in self._reserved]
        if not free:
            raise RequestError(ErrorCode.NAME_TAKEN, f"the name {names[0]} is in use")
        return await self._claims.claim(free, session, is_account=is_account, address=address)

    def _check(self, name: str, *, is_account: bool) -> str:
        name = check_name(name)
        if self._has_accounts and not is_account and not fold(name).startswith(GUEST):
            raise RequestError(
                ErrorCode.AUTH_REQUIRED,
                f"that name needs a password; without a password, a name begins with {GUEST}",
            )
        return name


def _guest_names(session: str) -> list[str]:
    """Return the guest names of a session, the shortest first."""
    guest = session.replace("-", "")
    lengths = range(min(6, len(guest)), len(guest) + 1)
    return [f"{GUEST}{guest[:length]}" for length in lengths]
