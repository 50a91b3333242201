"""`FailureLog`: logs failures of background work."""

from __future__ import annotations

from collections.abc import Awaitable

from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.errors import StoreError
from chatd.transport.hooks import start

__all__ = ["FailureLog"]


class FailureLog:
    """Starts background work, and logs its failures."""

    log = Logger()

    def store_failed(self, error: Exception) -> None:
        """Log a failure of the store."""
        self.log.error("the store failed: {error}", error=error)

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
        except Exception as error:
            self.failed(error)
            return
        if started is not None:
            started.addErrback(lambda failure: self.failed(failure.value))
