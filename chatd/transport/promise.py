"""`Promise`: a Deferred that coroutines of Twisted and of asyncio can await.

A coroutine is driven by Twisted (`Deferred.fromCoroutine`) or by an asyncio task, and no function
can tell by which. But a task refuses a Deferred: it raises a RuntimeError where the coroutine waits
("Task got bad yield"). A promise takes this as the sign, and waits as an `asyncio.Future` instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

__all__ = ["Promise", "promised"]

T = TypeVar("T")


class Promise(Deferred[T]):
    """A Deferred that coroutines of Twisted and of asyncio can await."""

    def __iter__(self) -> Generator[Any, None, T]:
        try:
            return (yield from super().__iter__())
        except (RuntimeError, asyncio.CancelledError) as error:
            if self._has_failed_with(error):
                raise
            if isinstance(error, asyncio.CancelledError):  # before the task refused this Deferred
                self.asFuture(asyncio.get_running_loop()).cancel()
                raise
        return (yield from self.asFuture(asyncio.get_running_loop()))

    __await__ = __iter__

    def _has_failed_with(self, error: BaseException) -> bool:
        result = getattr(self, "result", None)
        return isinstance(result, Failure) and result.value is error


def promised(waiting: Deferred[T]) -> Promise[T]:
    """Return a promise of the result of a Deferred; cancelling it cancels the Deferred.

    Args:
        waiting: The Deferred, or the result of `Deferred.fromCoroutine`.
    """
    promise: Promise[T] = Promise(lambda _: waiting.cancel())

    def fired(result: T | Failure) -> None:
        if not promise.called:  # called: it was cancelled
            promise.callback(result)

    waiting.addBoth(fired)
    return promise
