"""`Attempts`: decides when a node tries to attach."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from chatd.backplane.redis.times import Times
from chatd.errors import StoreError

__all__ = ["Attempts"]

_FIRST_WAIT_S = 0.1
_JITTER = 0.5


class Attempts:
    """Decides when a node tries to attach; one attempt at a time.

    Args:
        reactor: Measures the times.
        times: The times of the link.
        attach: Tries to attach; it calls `succeeded`, or fails.
        attempt_failed: Called with the failure of an attempt; it calls `failed`, and `start_later`
            for the next attempt.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        times: Times,
        attach: Callable[[], Coroutine[Any, Any, None]],
        attempt_failed: Callable[[Failure], None],
    ) -> None:
        self._reactor = reactor
        self._times = times
        self._attach = attach
        self._attempt_failed = attempt_failed
        self._attempt: Deferred[None] | None = None
        self._next: IDelayedCall | None = None
        self._in_vain = 0  # waits since the node was attached
        self._ends: list[Deferred[None]] = []

    def start(self) -> None:
        """Try to attach."""
        attempt = self._attempt = Deferred.fromCoroutine(self._attach())
        attempt.addTimeout(self._times.attach_s, self._reactor)
        attempt.addErrback(self._attempt_failed)
        attempt.addCallback(self._done)

    def start_later(self) -> None:
        """Try to attach after a while, which is longer after each attempt in vain."""
        wait = min(_FIRST_WAIT_S * 2**self._in_vain, self._times.longest_wait_s)
        self._in_vain += 1
        wait *= 1 - _JITTER * random.random()  # spreads the load, hides nothing
        self._next = self._reactor.callLater(wait, self.start)

    def stop(self, reason: str) -> None:
        """Cancel the attempt that is under way, or the next; nobody waits for its end any more."""
        if self._next is not None and self._next.active():
            self._next.cancel()
        if self._attempt is not None:
            self._attempt.cancel()
        self.failed(reason)

    def end_of_next(self) -> Deferred[None]:
        """Return a Deferred for the end of the attempt that is under way, or of the next."""
        end: Deferred[None] = Deferred()
        self._ends.append(end)
        return end

    def succeeded(self) -> None:
        """Note that the node is attached."""
        self._in_vain = 0
        for end in self._taken_ends():
            end.callback(None)

    def failed(self, reason: str) -> None:
        """Note why the attempt failed."""
        for end in self._taken_ends():
            end.errback(StoreError(reason))

    def _taken_ends(self) -> list[Deferred[None]]:
        ends, self._ends = self._ends, []
        return ends

    def _done(self, _: None) -> None:
        self._attempt = None
