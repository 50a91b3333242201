"""`EnforcedService`: logs the operators and the number of bans, and the changes of both."""

from __future__ import annotations

from collections.abc import Callable, Sized

from twisted.application.service import Service
from twisted.logger import Logger

from chatd.chat.moderation import Operators

__all__ = ["EnforcedService"]


class EnforcedService(Service):
    """Logs the operators and the number of bans in force at the start, and each change later.

    Args:
        operators: The operators.
        bans: Returns the bans in force.
    """

    log = Logger()

    def __init__(self, operators: Operators, bans: Callable[[], Sized]) -> None:
        self._operators = operators
        self._bans = bans
        self._names: frozenset[str] = frozenset()

    def startService(self) -> None:
        """Log the operators and the bans, if there are any."""
        super().startService()
        self._names = frozenset(self._operators.names)
        if self._names:
            self.log.info("operators: {names}", names=", ".join(sorted(self._names)))
        if self._bans():
            self.log_bans()

    def log_operators(self) -> None:
        """Log the operators that were added and removed since the last call."""
        before, self._names = self._names, frozenset(self._operators.names)
        for name in sorted(self._names - before):
            self.log.info("operators: {name} was added", name=name)
        for name in sorted(before - self._names):
            self.log.info("operators: {name} was removed", name=name)

    def log_bans(self) -> None:
        """Log how many bans are in force."""
        self.log.info("bans in force: {count}", count=len(self._bans()))
