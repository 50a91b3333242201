"""`FailureLog`: logs what failed where nobody waits for it."""

from __future__ import annotations

from collections.abc import Awaitable

from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.errors import StoreError
from chatd.transport.hooks import start

__all__ = ["FailureLog"]


class FailureLog:
    """Starts what nobody waits for, and logs how it fails."""

    log = Logger()

    def store_failed(self, error: Exception) -> None:
        """Log that the store could not do what it was asked."""
        self.log.error("the store failed: {error}", error=error)

    def failed(self, error: BaseException | None) -> None:
        """Log that something could not be stored or delivered."""
        if isinstance(error, StoreError):
            self.store_failed(error)
        else:
            self.log.failure("what was said could not be stored or delivered", Failure(error))

    def start(self, awaitable: Awaitable[None]) -> None:
        """Run something as far as it goes, and log how it fails, now or later."""
        try:
            started = start(awaitable)
        except Exception as error:
            self.failed(error)
            return
        if started is not None:
            started.addErrback(lambda failure: self.failed(failure.value))
