"""Tests of the Deferred that coroutines of Twisted and of asyncio await."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import ErrorCode, SessionEnded
from chatd.transport.promise import Promise, fail_ended, promised


async def wait(promise: Awaitable[Any]) -> Any:
    """Wait in a coroutine, under any event loop."""
    return await promise


class TwistedTests(SynchronousTestCase):
    """Twisted drives the coroutine, as with any Deferred."""

    def setUp(self) -> None:
        self.promise: Promise[int] = Promise()
        self.waiting = Deferred.fromCoroutine(wait(self.promise))

    def test_result(self) -> None:
        """The coroutine gets the result."""
        self.assertNoResult(self.waiting)
        self.promise.callback(3)
        self.assertEqual(self.successResultOf(self.waiting), 3)

    def test_failure(self) -> None:
        """The coroutine gets the failure, also a failure that a task could have raised."""
        for error in (ValueError("no"), RuntimeError("no"), asyncio.CancelledError()):
            self.setUp()
            self.promise.errback(error)
            self.assertIs(self.failureResultOf(self.waiting).value, error)

    def test_cancel(self) -> None:
        """Cancelling the coroutine cancels the promise."""
        self.waiting.cancel()
        self.failureResultOf(self.waiting, CancelledError)


class QuietTests(SynchronousTestCase):
    """An error that the program caused on purpose is not logged if nobody waits for it."""

    def logged(self) -> list[type[BaseException]]:
        """Return the kinds of the errors that Twisted logs as unhandled."""
        gc.collect()
        return [failure.type for failure in self.flushLoggedErrors()]

    def test_cancelled(self) -> None:
        """A cancelled promise that nobody waits for is no unhandled error."""
        Promise[int]().cancel()
        self.assertEqual(self.logged(), [])

    def test_cancelled_and_waited_for(self) -> None:
        """A caller that waits later learns that the promise was cancelled."""
        promise: Promise[int] = Promise()
        promise.cancel()
        self.failureResultOf(promise, CancelledError)

    def test_failed_before(self) -> None:
        """Cancelling does not hide an earlier failure, nor the result of an earlier success."""
        failed: Promise[int] = Promise()
        failed.errback(ValueError("no"))
        failed.cancel()
        del failed
        self.assertEqual(self.logged(), [ValueError])
        done: Promise[int] = Promise()
        done.callback(3)
        done.cancel()
        self.assertEqual(self.successResultOf(done), 3)

    def test_nobody_awaited(self) -> None:
        """The log says that nobody awaited a failed promise, also behind callbacks, and once."""
        waiting: Deferred[int] = Deferred()
        promises: list[Deferred[int]] = [Promise[int]().addCallback(abs), promised(waiting)]
        waiting.errback(ValueError("no"))
        promises[0].errback(ValueError("no"))
        with capturedLogs() as logged:
            promises.clear()
            self.assertEqual(self.logged(), [ValueError, ValueError])
        told = [formatEvent(event) for event in logged]
        self.assertEqual(len(told), 2)
        for line in told:
            self.assertIn("nobody awaited a call of chatd that failed: await each send", line)

    def test_callback_fails(self) -> None:
        """A mistake in an errback of the program is logged."""
        promise: Promise[int] = Promise()
        promise.addErrback(lambda _: 1 // 0)
        promise.cancel()
        del promise
        self.assertEqual(self.logged(), [ZeroDivisionError])

    def test_session_ended(self) -> None:
        """The end of a session is quiet if it was on purpose, and a lost session is not."""
        fail_ended(Promise(), SessionEnded(ErrorCode.GOODBYE, "bye"))
        self.assertEqual(self.logged(), [])
        fail_ended(Promise(), SessionEnded(ErrorCode.CONNECTION_LOST, "lost"))
        self.assertEqual(self.logged(), [SessionEnded])


class AsyncioTests(SynchronousTestCase):
    """An asyncio task drives the coroutine."""

    def outcome_of(
        self, promise: Promise[Any], act: Callable[[asyncio.Task[Any]], object], turns: int
    ) -> Any:
        """Wait in a task, act after some turns of the loop, and return the result or the error.

        Args:
            promise: What the task waits for.
            act: Called with the task.
            turns: After how many turns.
        """

        async def main() -> Any:
            task = asyncio.ensure_future(wait(promise))
            for _ in range(turns):
                await asyncio.sleep(0)
            act(task)
            try:
                return await task
            except (Exception, asyncio.CancelledError) as error:
                return error

        return asyncio.run(main())

    def test_result(self) -> None:
        """The task gets the result whenever it comes, also before it refused the Deferred."""
        for turns in range(5):
            promise: Promise[int] = Promise()

            def fire(_: object, promise: Promise[int] = promise) -> None:
                promise.callback(3)

            self.assertEqual(self.outcome_of(promise, fire, turns), 3)

    def test_failure(self) -> None:
        """The task gets the failure, also a failure like a task's refusal."""
        for turns in range(5):
            for error in (ValueError("no"), RuntimeError("Task got bad yield")):
                promise: Promise[int] = Promise()

                def fail(
                    _: object, promise: Promise[int] = promise, error: Exception = error
                ) -> None:
                    promise.errback(error)

                self.assertIs(self.outcome_of(promise, fail, turns), error)

    def test_cancel(self) -> None:
        """Cancelling the task cancels the promise, at any time."""
        for turns in range(1, 5):
            cancelled: list[object] = []
            promise: Promise[int] = Promise(cancelled.append)
            outcome = self.outcome_of(promise, asyncio.Task.cancel, turns)
            self.assertIsInstance(outcome, asyncio.CancelledError)
            self.assertEqual(cancelled, [promise])

    def test_wait_for_and_gather(self) -> None:
        """Asyncio's functions take promises."""

        async def main() -> Any:
            one, two, never = Promise[int](), Promise[int](), Promise[int]()
            both = asyncio.gather(one, two)
            await asyncio.sleep(0)
            two.callback(2)
            one.callback(1)
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(never, 0)
            return await both

        self.assertEqual(asyncio.run(main()), [1, 2])


async def outcomes(promise: Promise[Any], times: int = 3) -> list[Any]:
    """Await a promise several times, and return the results and errors."""
    found: list[Any] = []
    for _ in range(times):
        try:
            found.append(await promise)
        except ValueError as error:
            found.append(error)
    return found


class AgainTests(SynchronousTestCase):
    """A promise that is awaited more than once."""

    ERROR = ValueError("no")

    def fire(self, promise: Promise[Any], expected: object) -> None:
        if expected is self.ERROR:
            promise.errback(self.ERROR)
        else:
            promise.callback(expected)

    def test_twisted(self) -> None:
        """Each coroutine of Twisted gets the result or the failure, before and after it fires."""
        for expected in (3, self.ERROR):
            promise: Promise[Any] = Promise()
            early = [Deferred.fromCoroutine(outcomes(promise)) for _ in range(2)]
            self.fire(promise, expected)
            for waiting in (*early, Deferred.fromCoroutine(outcomes(promise))):
                self.assertEqual(self.successResultOf(waiting), [expected] * 3)

    def test_asyncio(self) -> None:
        """So does each task of asyncio."""

        async def main(expected: object) -> None:
            promise: Promise[Any] = Promise()
            early = [asyncio.ensure_future(outcomes(promise)) for _ in range(2)]
            for _ in range(5):
                await asyncio.sleep(0)
            self.fire(promise, expected)
            for each in (*early, outcomes(promise)):
                self.assertEqual(await each, [expected] * 3)

        for expected in (3, self.ERROR):
            asyncio.run(main(expected))

    def test_callbacks(self) -> None:
        """A callback gets the result too; a failure that a coroutine has got is handled."""
        promise: Promise[Any] = Promise()
        first = Deferred.fromCoroutine(outcomes(promise, 1))
        promise.addCallback(lambda result: result + 1)
        promise.callback(3)
        self.assertEqual(self.successResultOf(first), [3])
        self.assertEqual(self.successResultOf(promise), 4)
        broken: Promise[Any] = Promise()
        failed = Deferred.fromCoroutine(outcomes(broken, 1))
        broken.errback(self.ERROR)
        self.assertEqual(self.successResultOf(failed), [self.ERROR])
        self.assertIsNone(self.successResultOf(broken))
        del broken, failed
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_cancelled(self) -> None:
        """Cancelling one coroutine that waits cancels the promise for all of them."""
        promise: Promise[Any] = Promise()
        one, other = (Deferred.fromCoroutine(wait(promise)) for _ in range(2))
        one.cancel()
        for waiting in (one, other):
            self.failureResultOf(waiting, CancelledError)


class PromisedTests(SynchronousTestCase):
    """The promise of a Deferred's result."""

    def test_result_and_failure(self) -> None:
        """It fires and fails as the Deferred does."""
        there: Deferred[int] = Deferred()
        promise = promised(there)
        self.assertNoResult(promise)
        there.callback(3)
        self.assertEqual(self.successResultOf(promise), 3)
        broken: Deferred[int] = Deferred()
        promise = promised(broken)
        broken.errback(ValueError("no"))
        self.failureResultOf(promise, ValueError)

    def test_cancel(self) -> None:
        """Cancelling it cancels the Deferred, even if that fires later all the same."""
        there: Deferred[int] = Deferred(lambda _: None)
        promise = promised(there)
        promise.cancel()
        self.failureResultOf(promise, CancelledError)
        stubborn: Deferred[int] = Deferred(lambda deferred: deferred.callback(3))
        promise = promised(stubborn)
        promise.cancel()
        self.assertEqual(self.successResultOf(promise), 3)

    def test_fires_after_the_cancel(self) -> None:
        """A Deferred that waits for another when it is cancelled is ignored afterwards."""
        inner: Deferred[int] = Deferred(lambda _: None)

        async def stubborn() -> int:
            try:
                return await inner
            except CancelledError:
                return await later

        later: Deferred[int] = Deferred()
        promise = promised(Deferred.fromCoroutine(stubborn()))
        promise.cancel()
        self.failureResultOf(promise, CancelledError)
        later.callback(3)
