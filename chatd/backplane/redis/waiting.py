"""`WaitingCalls`: the calls that wait for a lost link, in their order."""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.errors import StoreError

__all__ = ["WaitingCalls"]


class WaitingCalls:
    """The calls that wait for a lost link, in their order.

    Args:
        reactor: Measures the time.
        patience_s: How long a call waits.
    """

    def __init__(self, reactor: IReactorTime, patience_s: float) -> None:
        self.reason = ""
        self._reactor = reactor
        self._patience_s = patience_s
        self._calls: deque[tuple[Deferred[None], IDelayedCall]] = deque()

    def wait(self) -> Deferred[None]:
        """Return a Deferred that fires when the link works, or fails when it was lost too long."""
        waiting: Deferred[None] = Deferred()
        timer = self._reactor.callLater(self._patience_s, self._lose_patience)
        self._calls.append((waiting, timer))
        return waiting

    def release(self) -> None:
        """Let the calls go on, and those that begin to wait meanwhile."""
        while self._calls:
            waiting, timer = self._calls.popleft()
            timer.cancel()
            waiting.callback(None)

    def give_up(self) -> None:
        """Fail all calls that wait."""
        while self._calls:
            waiting, timer = self._calls.popleft()
            timer.cancel()
            waiting.errback(self.error())

    def error(self) -> StoreError:
        """Return the error of a call that cannot wait any longer."""
        return StoreError(f"the link to the backplane is lost: {self.reason}")

    def _lose_patience(self) -> None:  # all calls wait equally long: this is the first call
        waiting, _ = self._calls.popleft()
        waiting.errback(self.error())
