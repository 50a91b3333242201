"""Tests of calling hooks."""

from __future__ import annotations

import asyncio
import gc
import sys
from asyncio import CancelledError
from contextvars import ContextVar
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.transport.hooks import DONE, call_hook, start
from chatd.transport.promise import promised


class HookTests(SynchronousTestCase):
    """`start` calls a hook, and reports its failures in one place."""

    def setUp(self) -> None:
        self.failures: list[tuple[Any, str]] = []
        self.gate: Deferred[None] = Deferred()
        self.steps: list[object] = []

    def failed(self, failure: Failure, about: str) -> None:
        self.failures.append((failure.type, about))

    def call(self, hook: Any, *args: object) -> Any:
        return call_hook(self.failed, "the hook", hook, *args)

    async def wait(self) -> None:
        self.steps.append("begun")
        await self.gate
        self.steps.append("done")


class PlainHookTests(HookTests):
    """A plain hook has ended when it returns."""

    def test_done_at_once(self) -> None:
        """The hook gets its arguments, and the caller need not wait."""
        self.assertIsNone(self.call(lambda *args: self.steps.extend(args), 1, "two"))
        self.assertEqual(self.steps, [1, "two"])
        self.assertEqual(self.failures, [])

    def test_result_of_a_plain_default(self) -> None:
        """A plain method of the library and an `async` override that awaits it both end."""

        async def override() -> None:
            await DONE

        self.assertIsNone(self.call(lambda: DONE))
        self.assertIsNone(self.call(override))
        self.assertEqual(self.failures, [])

    def test_asyncio(self) -> None:
        """In asyncio's event loop, a hook may wait for asyncio, and gets its errors and results."""

        async def hook() -> None:
            await asyncio.sleep(0)
            self.steps.append(await asyncio.ensure_future(asyncio.sleep(0, "slept")))
            await self.gate_of_asyncio

        async def main() -> None:
            self.gate_of_asyncio = asyncio.get_running_loop().create_future()
            done = self.call(hook)
            self.assertEqual(self.steps, [])
            self.gate_of_asyncio.set_exception(ValueError("no"))
            await promised(done)

        asyncio.run(main())
        self.assertEqual(self.steps, ["slept"])
        self.assertEqual(self.failures, [(ValueError, "the hook")])

    def test_failure_is_told(self) -> None:
        """The protocol reports an exception with the subject of the call."""

        def hook() -> None:
            raise ValueError("no")

        self.assertIsNone(self.call(hook))
        self.assertEqual(self.failures, [(ValueError, "the hook")])

    def test_cancelled(self) -> None:
        """A hook that raises asyncio's `CancelledError` has failed."""

        async def hook() -> None:
            raise CancelledError

        self.assertIsNone(self.call(hook))
        self.assertEqual(self.failures, [(CancelledError, "the hook")])

    def test_exit_is_not_a_failure(self) -> None:
        """An exception that ends the program is not caught."""

        def hook() -> None:
            raise SystemExit(3)

        self.assertRaises(SystemExit, self.call, hook)
        self.assertEqual(self.failures, [])

    def test_result_that_cannot_be_awaited(self) -> None:
        """A hook that returns a value that cannot be awaited has failed."""
        self.assertIsNone(self.call(lambda: 5))
        ((failure, about),) = self.failures
        self.assertTrue(issubclass(failure, TypeError))
        self.assertEqual(about, "the hook")


class AsyncHookTests(HookTests):
    """An async hook has ended when its coroutine has."""

    def test_without_waiting(self) -> None:
        """A hook that does not wait ends at once."""

        async def hook(step: str) -> None:
            self.steps.append(step)

        self.assertIsNone(self.call(hook, "one"))
        self.assertEqual(self.steps, ["one"])

    def test_waiting(self) -> None:
        """A hook that waits begins at once, and its Deferred fires with None at its end."""
        deferred = self.call(self.wait)
        self.assertEqual(self.steps, ["begun"])
        self.assertNoResult(deferred)
        self.gate.callback(None)
        self.assertIsNone(self.successResultOf(deferred))
        self.assertEqual(self.steps, ["begun", "done"])

    def test_failure_at_once(self) -> None:
        """A hook that fails before it waits ends at once."""

        async def hook() -> None:
            raise KeyError("no")

        self.assertIsNone(self.call(hook))
        self.assertEqual(self.failures, [(KeyError, "the hook")])

    def test_failure_later(self) -> None:
        """A hook that fails after it waited ends then; the failure goes no further."""
        deferred = self.call(self.wait)
        self.gate.errback(KeyError("no"))
        self.assertIsNone(self.successResultOf(deferred))
        self.assertEqual(self.failures, [(KeyError, "the hook")])

    def test_any_awaitable(self) -> None:
        """A hook may return an awaitable that is not a coroutine."""
        test = self

        class Waiting:
            def __await__(self):
                return test.wait().__await__()

        deferred = self.call(Waiting)
        self.assertNoResult(deferred)
        self.gate.callback(None)
        self.assertIsNone(self.successResultOf(deferred))
        self.assertEqual(self.steps, ["begun", "done"])


class DeferredHookTests(HookTests):
    """A hook may return a Deferred."""

    def test_fired(self) -> None:
        """A hook with a fired Deferred has ended."""
        self.assertIsNone(self.call(lambda: succeed(None)))
        self.assertEqual(self.failures, [])

    def test_failed(self) -> None:
        """A hook with a failed Deferred has ended; the caller gets the failure."""
        self.assertIsNone(self.call(lambda: fail(OSError("no"))))
        self.assertEqual(self.failures, [(OSError, "the hook")])

    def test_waiting(self) -> None:
        """The caller waits for a hook with a Deferred that has not fired."""
        deferred = self.call(lambda: self.gate)
        self.assertNoResult(deferred)
        self.gate.errback(OSError("no"))
        self.assertIsNone(self.successResultOf(deferred))
        self.assertEqual(self.failures, [(OSError, "the hook")])

    def test_waiting_for_another(self) -> None:
        """The caller waits for a hook with a fired Deferred that waits for another."""
        deferred = self.call(lambda: succeed(None).addCallback(lambda _: self.gate))
        self.assertNoResult(deferred)
        self.gate.callback(None)
        self.assertIsNone(self.successResultOf(deferred))


class StartTests(SynchronousTestCase):
    """`start` runs a coroutine until it waits, like `Deferred.fromCoroutine`."""

    def setUp(self) -> None:
        self.gate: Deferred[object] = Deferred()
        self.steps: list[object] = []

    def test_nothing_to_wait_for(self) -> None:
        """A coroutine that never waits ends, without a Deferred."""

        async def run() -> None:
            self.steps.append(await succeed(1))

        self.assertIsNone(start(run()))
        self.assertEqual(self.steps, [1])

    def test_fails_at_once(self) -> None:
        """A coroutine that fails before it waits raises."""

        async def run() -> None:
            raise ValueError("no")

        self.assertRaises(ValueError, start, run())

    def test_waits(self) -> None:
        """A coroutine continues with each result that it waited for."""

        async def run() -> None:
            self.steps.append(await self.gate)
            self.steps.append(await succeed("then"))

        started: Any = start(run())
        self.assertIsNotNone(started)
        self.assertNoResult(started)
        self.gate.callback("first")
        self.assertIsNone(self.successResultOf(started))
        self.assertEqual(self.steps, ["first", "then"])

    def test_context_is_its_own(self) -> None:
        """Context variables of the coroutine are private, and stay while it waits."""
        variable: ContextVar[str] = ContextVar("variable", default="untouched")

        async def run() -> None:
            token = variable.set("mine")
            await self.gate
            self.steps.append(variable.get())
            variable.reset(token)

        started: Any = start(run())
        self.assertIsNotNone(started)
        self.assertEqual(variable.get(), "untouched")
        self.gate.callback(None)
        self.assertIsNone(self.successResultOf(started))
        self.assertEqual(self.steps, ["mine"])

    def test_failure_is_raised_where_it_waits(self) -> None:
        """The `await` raises any failure, which is over once it is handled."""

        async def run() -> None:
            try:
                await self.gate
            except CancelledError:
                self.steps.append("cancelled")
            self.steps.append(sys.exc_info()[0])
            raise ValueError("another")

        started: Any = start(run())
        self.assertIsNotNone(started)
        self.gate.errback(CancelledError())
        failure = self.failureResultOf(started, ValueError)
        self.assertEqual(self.steps, ["cancelled", None])
        self.assertIsNone(failure.value.__context__)

    def test_waits_for_ever(self) -> None:
        """A coroutine whose Deferred is lost is closed without an error."""

        async def run() -> None:
            try:
                await Deferred()
            finally:
                self.steps.append("finally")

        unraisable: list[BaseException] = []
        self.patch(sys, "unraisablehook", lambda event: unraisable.append(event.exc_value))
        start(run())
        gc.collect()
        self.assertEqual((self.steps, unraisable), (["finally"], []))

    def test_cancel(self) -> None:
        """Cancelling cancels the awaited Deferred, and the coroutine's `finally` runs."""

        async def run() -> None:
            try:
                await self.gate
            finally:
                self.steps.append("finally")

        started: Any = start(run())
        self.assertIsNotNone(started)
        started.cancel()
        self.failureResultOf(started)
        self.assertEqual(self.steps, ["finally"])
