"""`Promise`: a Deferred that coroutines of Twisted and of asyncio can await.

A coroutine is driven by Twisted (`Deferred.fromCoroutine`) or by an asyncio task, and no function
can tell by which. But a task refuses a Deferred: it raises a RuntimeError where the coroutine waits
("Task got bad yield"). A promise takes this as the sign, and waits as an `asyncio.Future` instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, DebugInfo, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.errors import SessionEnded

__all__ = ["Promise", "fail_ended", "promised"]

T = TypeVar("T")
_log = Logger()


class _Unawaited(DebugInfo):
    """Logs the failure of a promise that nobody awaited, in clearer words than Twisted."""

    def __del__(self) -> None:
        failure, self.failResult = self.failResult, None
        if failure is not None:
            told = (
                "nobody awaited a call of chatd that failed: await each send and command, or add "
            )
            _log.failure(told + "an errback", failure)


class Promise(Deferred[T]):
    """A Deferred that coroutines of Twisted and of asyncio can await, any number of times.

    Each of them gets the result, or the failure. Twisted's own ways to wait take the result away,
    as they do from every Deferred: ``yield`` in a function with `inlineCallbacks`, and `asFuture`.
    If a coroutine that waits is cancelled, the promise is cancelled for all of them.
    """

    _failure: Failure | None = None  # kept apart: once a coroutine has it, it counts as handled

    def __iter__(self) -> Generator[Any, None, T]:
        told: Deferred[T] = Deferred(lambda _: self.cancel())
        self.addBoth(self._tell, told)
        try:
            return (yield from told)
        except (RuntimeError, asyncio.CancelledError) as error:
            if _has_failed_with(told, error):
                raise
            if isinstance(error, asyncio.CancelledError):  # before the task refused this Deferred
                told.asFuture(asyncio.get_running_loop()).cancel()
                raise
        return (yield from told.asFuture(asyncio.get_running_loop()))

    __await__ = __iter__

    def errback(self, fail: Failure | BaseException | None = None) -> None:
        """Fail it; if nobody ever waits for it, the log says so."""
        # Private: if a Twisted names it otherwise, the log has Twisted's own words.
        if self._debugInfo is None:
            self._debugInfo = _Unawaited()
        super().errback(fail)

    def cancel(self) -> None:
        """Cancel it; if nobody waits for it, Twisted logs no unhandled error."""
        super().cancel()
        _handle(self, lambda error: isinstance(error, CancelledError))

    def _tell(self, result: T | Failure, told: Deferred[T]) -> T | None:
        """Pass the result on, and keep it for other coroutines."""
        if isinstance(result, Failure):
            self._failure = result
        elif self._failure is None:
            told.callback(result)
            return result
        told.errback(self._failure)
        return None


def _has_failed_with(told: Deferred[T], error: BaseException) -> bool:
    result = getattr(told, "result", None)
    return isinstance(result, Failure) and result.value is error


def fail_ended(waiting: Deferred[T], reason: SessionEnded) -> Deferred[T]:
    """Fail a Deferred with the reason of a session's end.

    If the session ended on purpose and nobody waits for the Deferred, Twisted does not log the
    reason as an unhandled error. A caller that waits for it later gets the reason all the same.

    Args:
        waiting: The Deferred.
        reason: The reason.

    Returns:
        The Deferred.
    """
    waiting.errback(reason)
    if reason.is_clean:
        _handle(waiting, lambda error: error is reason)
    return waiting


def _handle(waiting: Deferred[T], is_expected: Callable[[BaseException | None], bool]) -> None:
    """If a Deferred has failed with an expected error, have Twisted not log it as unhandled."""
    result = getattr(waiting, "result", None)
    if isinstance(result, Failure) and is_expected(result.value):
        with suppress(Exception):  # handled, as by a coroutine that waits for it
            next(Deferred.__iter__(waiting))


def promised(waiting: Deferred[T]) -> Promise[T]:
    """Return a promise of the result of a Deferred; cancelling it cancels the Deferred.

    Args:
        waiting: The Deferred, or the result of `Deferred.fromCoroutine`.
    """
    promise: Promise[T] = Promise(lambda _: waiting.cancel())

    def fired(result: T | Failure) -> None:
        if promise.called:  # it was cancelled
            return
        if isinstance(result, Failure):
            promise.errback(result)
        else:
            promise.callback(result)

    waiting.addBoth(fired)
    return promise
