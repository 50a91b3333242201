"""Names of members and rooms: which names are allowed, and which count as the same."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from chatd.errors import ErrorCode, RequestError

__all__ = [
    "GUEST",
    "MAX_NAME",
    "MAX_ROOM",
    "MAX_TOPIC",
    "Names",
    "check_name",
    "check_room",
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


class Names:
    """The names that are in use.

    A name belongs to one member. An account's name belongs to all members that logged in to the
    account.

    Args:
        has_accounts: Whether the server has accounts. If it does, members without an account are
            guests, and their names begin with `GUEST`.
    """

    def __init__(self, *, has_accounts: bool = False) -> None:
        self._has_accounts = has_accounts
        self._holders: dict[str, int] = {}
        self._accounts: set[str] = set()

    def claim(self, name: str | None, guest: str, *, is_account: bool = False) -> str:
        """Give out a name.

        Args:
            name: The requested name, or None for a guest name.
            guest: A text that sets this guest apart from others, such as a session's id. A guest
                name has as many of its characters as are needed.
            is_account: Whether the name is that of an account to which the member logged in.

        Raises:
            RequestError: `bad-name`, `name-taken`, or `auth-required` for a guest.
        """
        given = self._guest_name(guest) if name is None else check_name(name)
        key = fold(given)
        if self._has_accounts and not is_account and not key.startswith(GUEST):
            raise RequestError(
                ErrorCode.AUTH_REQUIRED,
                f"that name needs a password; without one, a name begins with {GUEST}",
            )
        if key in self._holders and not (is_account and key in self._accounts):
            raise RequestError(ErrorCode.NAME_TAKEN, f"the name {given} is in use")
        self._holders[key] = self._holders.get(key, 0) + 1
        if is_account:
            self._accounts.add(key)
        return given

    def reserve(self, name: str) -> str:
        """Reserve a name for the server itself; no member gets it.

        Raises:
            RequestError: `bad-name`.
        """
        name = check_name(name)
        self._holders[fold(name)] = 1
        return name

    def claim_like(self, name: str, guest: str) -> str:
        """Give out a name; if it is in use, the name with a number, or else a guest name."""
        for number in range(1, 100):
            try:
                return self.claim(name if number == 1 else f"{name}-{number}", guest)
            except RequestError as error:
                if error.code != ErrorCode.NAME_TAKEN:
                    break
        return self.claim(None, guest)

    def release(self, name: str) -> None:
        """Take a name back from one of its members."""
        key = fold(name)
        holders = self._holders.pop(key, 0) - 1
        if holders > 0:
            self._holders[key] = holders
        else:
            self._accounts.discard(key)

    def _guest_name(self, guest: str) -> str:
        names = (f"{GUEST}{guest[:length]}" for length in range(6, len(guest) + 1))
        return next((name for name in names if fold(name) not in self._holders), f"{GUEST}{guest}")
