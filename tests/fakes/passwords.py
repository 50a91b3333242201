"""Passwords in tests: a cheap hasher, and a checker that answers when the test says so."""

from __future__ import annotations

from typing import Any

from argon2 import PasswordHasher
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Hashes passwords at once, and badly."""


@implementer(ICredentialsChecker)
class SlowChecker:
    """Checks passwords when the test says so, in the order in which it is asked.

    Attributes:
        asked: The names whose passwords it was to check.
        known: The name of everyone who asks from now on, without waiting; None to wait.
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
        """Say that the oldest password is right, and whose it is."""
        self._waiting.pop(0).callback(name)

    def refuse(self) -> None:
        """Say that the oldest password is wrong."""
        self._waiting.pop(0).errback(UnauthorizedLogin())
