"""`FailureLog`: logs failures of background work."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.errors import StoreError
from chatd.transport.hooks import start
from chatd.transport.timer import Timer

__all__ = ["MAX_TEXTS", "QUIET_S", "FailureLog"]

QUIET_S = 60.0
"""Seconds in which the same failure of the store is logged once, and then with its number."""
MAX_TEXTS = 20
"""How many different failures of the store are logged and counted in that time."""


class FailureLog:
    """Starts background work, and logs its failures.

    Args:
        clock: The reactor, or a test's clock.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._unlogged: dict[str, int] = {}
        self._others = 0
        self._timer = Timer(clock)

    def store_failed(self, error: Exception) -> None:
        """Log a failure of the store, or count it if the same was logged a short time ago.

        On a full disk, each message in a busy chat would add a line.
        """
        text = str(error)
        if text in self._unlogged:
            self._unlogged[text] += 1
        elif len(self._unlogged) == MAX_TEXTS:
            self._others += 1
        else:
            if not self._timer.is_running:
                self._timer.start(QUIET_S, self.finish)
            self._unlogged[text] = 0
            self.log.error("the store failed: {error}", error=error)

    def finish(self) -> None:
        """Log now how many failures of the store were counted and not logged."""
        self._timer.stop()
        unlogged, self._unlogged = self._unlogged, {}
        others, self._others = self._others, 0
        for text, count in unlogged.items():
            if count:
                self.log.error(
                    "the store failed again: {text} ({count} more)", text=text, count=count
                )
        if others:
            self.log.error("the store failed in other ways: {count} times", count=others)

    def failed(self, error: BaseException | None) -> None:
        """Log that a message could not be stored or delivered."""
        if isinstance(error, StoreError):
            self.store_failed(error)
        else:
            self.log.failure("messages could not be stored or delivered", Failure(error))

    def start(self, awaitable: Awaitable[None]) -> None:
        """Start a coroutine, and log its failure, now or later."""
        try:
            started = start(awaitable)
        except (Exception, CancelledError) as error:
            self.failed(error)
            return
        if started is not None:
            started.addErrback(lambda failure: self.failed(failure.value))
