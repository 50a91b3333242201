"""`OperatorAccounts`: warns of operators without an account, and of a file without accounts."""

from __future__ import annotations

from collections.abc import Callable, Collection

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

    def __init__(self, operators: Operators, accounts: Callable[[], Collection[str]]) -> None:
        self._operators = operators
        self._accounts = accounts
        self._warned_of: frozenset[str] = frozenset()

    def startService(self) -> None:
        """Check; warn also if there is no account at all."""
        super().startService()
        if not self._accounts():
            self.log.warn(
                "the password file has no account, so nobody can log in with a password: make an "
                "account with 'chatd passwd FILE NAME', and send SIGHUP"
            )
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
