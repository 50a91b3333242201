"""The objects between `Accounts` and the checkers of `twisted.cred`."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from twisted.cred.credentials import IUsernamePassword
from twisted.cred.portal import IRealm
from zope.interface import Interface, implementer

__all__ = ["Account", "Credentials", "IAccount", "Realm"]


@dataclass(frozen=True, slots=True)
class Account:
    """The result of a login.

    Attributes:
        name: The account's name in its checker's spelling; None for an anonymous guest.
    """

    name: str | None

    @property
    def is_guest(self) -> bool:
        """Whether the client is an anonymous guest."""
        return self.name is None


@implementer(IUsernamePassword)
class Credentials:
    """A name and a password, compared in constant time, unlike Twisted's own credentials."""

    __slots__ = ("password", "username")

    def __init__(self, username: bytes, password: bytes) -> None:
        self.username = username
        self.password = password

    def checkPassword(self, password: bytes) -> bool:
        """Return whether the password matches."""
        return hmac.compare_digest(self.password, password)


class IAccount(Interface):
    """The interface that a login requests from the realm."""


@implementer(IRealm)
class Realm:
    """Makes an `Account` from a checker's answer."""

    def requestAvatar(
        self, avatarId: bytes | str | tuple[()], mind: object, *interfaces: type[Interface]
    ) -> tuple[type[Interface], object, Callable[[], None]]:
        """Return the account; its logout function does nothing."""
        name = _text(avatarId) if isinstance(avatarId, (bytes, str)) else None
        return IAccount, Account(name), lambda: None


def _text(data: str | bytes) -> str:
    return data.decode() if isinstance(data, bytes) else data
