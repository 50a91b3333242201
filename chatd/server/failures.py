"""`FailureLog`: logs failures of background work."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.errors import StoreError
from chatd.transport.hooks import start

__all__ = ["QUIET_S", "FailureLog"]

QUIET_S = 60.0
"""Seconds in which the same failure of the store is logged once."""


class FailureLog:
    """Starts background work, and logs its failures.

    Args:
        clock: The reactor, or a test's clock.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._last_text = ""
        self._quiet_until = 0.0
        self._unlogged = 0

    def store_failed(self, error: Exception) -> None:
        """Log a failure of the store, unless the same was logged a short time ago.

        On a full disk, each message in a busy chat would add a line.
        """
        text, now = str(error), self._clock.seconds()
        if text == self._last_text and now < self._quiet_until:
            self._unlogged += 1
            return
        more = f" (and {self._unlogged} more since the last such line)" if self._unlogged else ""
        self.log.error(
            "the store failed: {error}{more}",
            error=error,
            more=more if text == self._last_text else "",
        )
        self._last_text, self._quiet_until, self._unlogged = text, now + QUIET_S, 0

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
