"""Passwords in tests: a cheap hasher, and a checker that answers on the test's command."""

from __future__ import annotations

from typing import Any

from argon2 import PasswordHasher
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Hashes passwords fast and insecurely."""


@implementer(ICredentialsChecker)
class SlowChecker:
    """Checks passwords on the test's command, in the order of the requests.

    Attributes:
        asked: The names in the requests.
        known: The account name with which all requests succeed at once; None to let them wait.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.known: bytes | None = None
        self._waiting: list[Deferred[bytes | tuple[()]]] = []

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:
        if self.known is not None:
            return succeed(self.known)
        self.asked.append(credentials.username)
        waiting: Deferred[bytes | tuple[()]] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def answer(self, name: bytes) -> None:
        """Accept the oldest password, and give the name of its account."""
        self._waiting.pop(0).callback(name)

    def refuse(self) -> None:
        """Reject the oldest password."""
        self._waiting.pop(0).errback(UnauthorizedLogin())
