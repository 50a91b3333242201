"""Credentials checkers for tests."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.defer import Deferred
from zope.interface import implementer

__all__ = ["SlowChecker"]


@implementer(ICredentialsChecker)
class SlowChecker:
    """Checks passwords when the test says so.

    Attributes:
        asked: The names that were to be checked.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self._waiting: list[Deferred[bytes]] = []

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes]:
        self.asked.append(credentials.username)
        waiting: Deferred[bytes] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def answer(self, name: bytes) -> None:
        """Say that the password was right."""
        self._waiting.pop(0).callback(name)
