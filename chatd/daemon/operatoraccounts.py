"""`OperatorAccounts`: warns of operators whose name has no account, so that nobody can be them."""

from __future__ import annotations

from collections.abc import Callable, Container

from twisted.application.service import Service
from twisted.logger import Logger

from chatd.chat.moderation import Operators

__all__ = ["OperatorAccounts"]


class OperatorAccounts(Service):
    """Warns at the start, and at each `check`, of operators without an account.

    Args:
        operators: The operators.
        accounts: Returns the names of all accounts.
    """

    log = Logger()

    def __init__(self, operators: Operators, accounts: Callable[[], Container[str]]) -> None:
        self._operators = operators
        self._accounts = accounts
        self._warned_of: frozenset[str] = frozenset()

    def startService(self) -> None:
        """Check."""
        super().startService()
        self.check()

    def check(self) -> None:
        """Warn of each operator without an account, unless the last check did already."""
        accounts = self._accounts()
        missing = frozenset(name for name in self._operators.names if name not in accounts)
        for name in sorted(missing - self._warned_of):
            self.log.warn(
                "operator {name!r} has no account, so nobody can be operator by that name: make "
                "the account with 'chatd passwd FILE NAME', or correct the name",
                name=name,
            )
        self._warned_of = missing
