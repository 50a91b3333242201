"""`FailureLog`: logs failures of background work."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable
from dataclasses import dataclass

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


@dataclass(slots=True)
class _Unlogged:
    """Failures that are counted and not logged.

    Attributes:
        count: Their number.
        last_at: When the last was, by the clock.
    """

    count: int = 0
    last_at: float = 0.0

    def note(self, now: float) -> None:
        """Count a failure."""
        self.count += 1
        self.last_at = now


class FailureLog:
    """Starts background work, and logs its failures.

    Args:
        clock: The reactor, or a test's clock.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._unlogged: dict[str, _Unlogged] = {}
        self._others = _Unlogged()
        self._timer = Timer(clock)
        self._is_untold = False  # that the store works again
        self._told_at = -QUIET_S

    def store_failed(self, error: Exception) -> None:
        """Log a failure of the store, or count it if the same was logged a short time ago.

        On a full disk, each message in a busy chat would add a line.
        """
        text = str(error)
        if text in self._unlogged:
            self._unlogged[text].note(self._clock.seconds())
        elif len(self._unlogged) == MAX_TEXTS:
            self._others.note(self._clock.seconds())
        else:
            if not self._timer.is_running:
                self._timer.start(QUIET_S, self.finish)
            self._unlogged[text] = _Unlogged()
            self.log.error("the store failed: {error}", error=error)

    def store_works(self, works: bool) -> None:
        """Log that the store stores again, after the failures that were counted until now.

        A minute has one such line at most, and another at its end: else a store that fails now and
        then would add lines with each message.

        Args:
            works: Whether it works again; else it has begun to fail.
        """
        self._is_untold = works
        if not works:
            return
        if self._clock.seconds() - self._told_at >= QUIET_S:
            self.finish()
        elif not self._timer.is_running:
            self._timer.start(QUIET_S, self.finish)

    def finish(self) -> None:
        """Log now what was not logged: failures of the store that were counted, and their end.

        The lines about failures are warnings, and say how long ago the last was: they are no news.
        """
        self._timer.stop()
        unlogged, self._unlogged = self._unlogged, {}
        others, self._others = self._others, _Unlogged()
        now = self._clock.seconds()
        for text, each in unlogged.items():
            if each.count:
                self.log.warn(
                    "past failures of the store: {text} ({count} more, the last {ago:.0f} s ago)",
                    text=text,
                    count=each.count,
                    ago=now - each.last_at,
                )
        if others.count:
            self.log.warn(
                "past failures of the store: {count} of other kinds, the last {ago:.0f} s ago",
                count=others.count,
                ago=now - others.last_at,
            )
        if self._is_untold:
            self._is_untold = False
            self._told_at = now
            self.log.info("the store works again")

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
