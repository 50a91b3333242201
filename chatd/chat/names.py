"""Names of members and rooms: what is allowed, and which are the same."""

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
"""What the names begin with of those who have no account where there are accounts."""
MAX_ROOM = 64
"""Longest name of a room, in characters."""
MAX_TOPIC = 256
"""Longest topic of a room, in characters."""

# Of what Unicode's DerivedCoreProperties.txt has as Default_Ignorable_Code_Point, what is shown as
# nothing and counts as printable all the same: variation selectors; and others, with the blank of
# Braille, which looks like a space.
_VARIATIONS = re.compile("[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]")


def check_name(name: str) -> str:
    """Return a member's name in Unicode's composed form (NFC), without variation selectors.

    Raises:
        RequestError: `bad-name`: it is empty, too long, or holds a space or a
            character that is a control or cannot be seen.
    """
    return _check(name, MAX_NAME, ErrorCode.BAD_NAME, "a name")


def check_room(name: str) -> str:
    """Return a room's name in Unicode's composed form (NFC), without variation selectors.

    Raises:
        RequestError: `bad-room`: it is empty, too long, or holds a space or a
            character that is a control or cannot be seen.
    """
    return _check(name, MAX_ROOM, ErrorCode.BAD_ROOM, "a room's name")


def _check(name: str, longest: int, code: ErrorCode, what: str) -> str:
    if len(name) <= 4 * longest:  # composing what is longer costs time, and it is too long anyway
        name = _composed(name)
    if not 0 < len(name) <= longest or not name.isprintable() or " " in name:
        raise RequestError(
            code,
            f"{what} has 1 to {longest} characters, none of them a space or a control character",
        )
    if not name.isascii() and _UNSEEN.search(name):
        raise RequestError(code, f"{what} has no characters that cannot be seen")
    if unicodedata.category(name[0]).startswith("M"):
        raise RequestError(code, f"{what} does not begin with a mark on a letter before it")
    return name


def _composed(name: str) -> str:
    """Return a name in Unicode's composed form, without what only chooses between two glyphs."""
    if name.isascii():
        return name
    return unicodedata.normalize("NFC", _VARIATIONS.sub("", name))


@lru_cache(maxsize=4096)
def fold(name: str) -> str:
    """Return what names have in common that count as the same: composed, and then casefolded."""
    return unicodedata.normalize("NFC", _composed(name).casefold())


def fold_known(name: str) -> str:
    """Return a name folded that may be folded already, and longer by that than a name is.

    Raises:
        RequestError: `bad-name`: no name is like that.
    """
    return fold(_check(name, 3 * MAX_NAME, ErrorCode.BAD_NAME, "a name"))  # Unicode's most


class Names:
    """The names that are in use.

    A name belongs to one member, unless it is that of an account: then to all who have proven that
    the account is theirs.

    Args:
        has_accounts: Whether there are accounts: then whoever has none is a guest, whose name
            begins with `GUEST`.
    """

    def __init__(self, *, has_accounts: bool = False) -> None:
        self._has_accounts = has_accounts
        self._holders: dict[str, int] = {}
        self._accounts: set[str] = set()

    def claim(self, name: str | None, guest: str, *, is_account: bool = False) -> str:
        """Give out a name.

        Args:
            name: The name asked for, or None for any.
            guest: What sets a guest's name apart from others', such as a session's id; as much
                of it as is needed becomes part of the name.
            is_account: Whether the name is that of an account, and proven.

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
        """Give a name to the server itself; nobody else has it.

        Raises:
            RequestError: `bad-name`.
        """
        name = check_name(name)
        self._holders[fold(name)] = 1
        return name

    def claim_like(self, name: str, guest: str) -> str:
        """Give out a name, or if it is in use one that begins with it, or else a guest's."""
        for number in range(1, 100):
            try:
                return self.claim(name if number == 1 else f"{name}-{number}", guest)
            except RequestError as error:
                if error.code != ErrorCode.NAME_TAKEN:
                    break
        return self.claim(None, guest)

    def release(self, name: str) -> None:
        """Take a name back from one of its holders."""
        key = fold(name)
        holders = self._holders.pop(key, 0) - 1
        if holders > 0:
            self._holders[key] = holders
        else:
            self._accounts.discard(key)

    def _guest_name(self, guest: str) -> str:
        names = (f"{GUEST}{guest[:length]}" for length in range(6, len(guest) + 1))
        return next((name for name in names if fold(name) not in self._holders), f"{GUEST}{guest}")
