"""`WaitingCalls`: the calls that wait for a lost link, in their order."""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.errors import StoreError

__all__ = ["WaitingCalls"]


class WaitingCalls:
    """The calls that wait for a lost link, in their order.

    When the link has been lost for too long, all calls fail, and later calls fail at once until the
    link works. So a call never succeeds while an earlier one fails.

    Args:
        reactor: Measures the time.
        patience_s: How long the calls wait, from the loss on.

    Attributes:
        reason: Why the link is lost.
    """

    def __init__(self, reactor: IReactorTime, patience_s: float) -> None:
        self.reason = ""
        self._reactor = reactor
        self._patience_s = patience_s
        self._end: IDelayedCall | None = None  # of the patience with the present loss
        self._is_over = False
        self._calls: deque[Deferred[None]] = deque()

    def wait(self) -> Deferred[None]:
        """Return a Deferred that fires when the link works, or fails when it was lost too long."""
        if self._is_over:
            return fail(self.error())
        self.lost(self.reason)
        waiting: Deferred[None] = Deferred()
        self._calls.append(waiting)
        return waiting

    def lost(self, reason: str, ago_s: float = 0.0) -> None:
        """Note that the link is lost; the first call that waits does so too.

        Args:
            reason: Why.
            ago_s: For how long it has been lost already.
        """
        self.reason = reason
        if not self._is_over and self._end is None:
            left_s = max(0.0, self._patience_s - ago_s)
            self._end = self._reactor.callLater(left_s, self.give_up)

    def release(self) -> None:
        """Let the calls go on, and those that begin to wait meanwhile."""
        self._is_over = False
        while self._calls:
            self._calls.popleft().callback(None)
        self._stop()

    def give_up(self) -> None:
        """Fail all calls that wait, and those that come before the link works."""
        self._stop()
        self._is_over = True
        while self._calls:
            self._calls.popleft().errback(self.error())

    def error(self) -> StoreError:
        """Return the error of a call that cannot wait any longer."""
        return StoreError(f"the link to the backplane is lost: {self.reason}")

    def _stop(self) -> None:
        end, self._end = self._end, None
        if end is not None and end.active():
            end.cancel()
