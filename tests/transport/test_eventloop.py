"""Tests of the reactor in asyncio's event loop, in this process; sockets are tested in others."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import twisted.internet
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import Deferred
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import LocalProtocolError
from chatd.transport.eventloop import asyncio_reactor, check_runs, stop_at_end

REACTOR = "twisted.internet.reactor"


class AsyncioReactorTests(SynchronousTestCase):
    """A reactor for the time of a context."""

    def setUp(self) -> None:
        self.addCleanup(self.install, sys.modules.get(REACTOR))
        self.install(None)

    def install(self, reactor: Any) -> None:
        """Install a reactor as Twisted's, in place of the test runner's, or none."""
        sys.modules.pop(REACTOR, None)
        vars(twisted.internet).pop("reactor", None)
        if reactor is not None:
            sys.modules[REACTOR] = reactor
            vars(twisted.internet)["reactor"] = reactor

    def test_context(self) -> None:
        """The context runs a reactor, which is Twisted's until its end; it may begin again."""

        async def main() -> None:
            async with asyncio_reactor() as reactor:
                self.assertIs(sys.modules[REACTOR], reactor)
                self.assertTrue(reactor.running)
                called = asyncio.get_running_loop().create_future()
                reactor.callLater(0, called.set_result, 3)
                self.assertEqual(await called, 3)
                reactor.callLater(1000, called.set_result, 4)
            self.assertFalse(reactor.running)
            self.assertEqual(reactor.getDelayedCalls(), [])

        for _ in range(2):
            asyncio.run(main())
            self.assertNotIn(REACTOR, sys.modules)
            self.assertFalse(hasattr(twisted.internet, "reactor"))

    def test_failure(self) -> None:
        """The reactor is closed if the block of the context fails."""

        async def main() -> None:
            async with asyncio_reactor():
                raise ValueError("no")

        with self.assertRaises(ValueError):
            asyncio.run(main())
        self.assertNotIn(REACTOR, sys.modules)

    def test_stopped(self) -> None:
        """The program may stop it; the event loop goes on, and the context ends as always."""

        async def main() -> None:
            async with asyncio_reactor() as reactor:
                reactor.stop()
                while reactor.running:
                    await asyncio.sleep(0)

        asyncio.run(main())
        self.assertNotIn(REACTOR, sys.modules)

    def test_used_afterwards(self) -> None:
        """After the context, its reactor is refused at once, in asyncio's loop and outside."""

        async def main() -> Any:
            async with asyncio_reactor() as reactor:
                check_runs(reactor)
            with self.assertRaises(LocalProtocolError):
                check_runs(reactor)
            return reactor

        reactor = asyncio.run(main())
        error = self.assertRaises(LocalProtocolError, check_runs, reactor)
        self.assertIn("runs no more", str(error))

    def test_nested(self) -> None:
        """Within a context, another gives the same reactor, and does not end it."""

        async def main() -> None:
            async with asyncio_reactor() as outer:
                async with asyncio_reactor() as inner:
                    self.assertIs(inner, outer)
                self.assertTrue(outer.running)

        asyncio.run(main())

    def test_overlapping(self) -> None:
        """Contexts of two tasks share the reactor, which ends with the last."""

        async def main() -> None:
            first, second = asyncio_reactor(), asyncio_reactor()
            reactor = await first.__aenter__()
            self.assertIs(await second.__aenter__(), reactor)
            await first.__aexit__(None, None, None)
            self.assertTrue(reactor.running)
            await second.__aexit__(None, None, None)
            self.assertFalse(reactor.running)

        asyncio.run(main())
        self.assertNotIn(REACTOR, sys.modules)

    def test_stop_at_end(self) -> None:
        """The end waits until all that still runs on the reactor is stopped."""
        stopped: list[str] = []

        def stop(name: str, *forgets: Callable[[], None]) -> Deferred[None]:
            stopped.append(name)
            for forget in forgets:
                forget()
            reactor: Any = sys.modules[REACTOR]
            return deferLater(reactor, 0, stopped.append, f"{name} has stopped")

        async def main() -> None:
            async with asyncio_reactor() as reactor:
                stop_at_end(reactor, lambda: stop("forgotten"))()
                forget_first = stop_at_end(
                    reactor, lambda: stop("first", forget_first, forget_second)
                )
                forget_second = stop_at_end(reactor, lambda: stop("second"))

        asyncio.run(main())
        self.assertEqual(stopped, ["first", "first has stopped"])

    def test_stop_at_no_end(self) -> None:
        """Other reactors are their application's, which stops its services itself."""
        stop_at_end(Clock(), self.fail)()

    def test_another_reactor(self) -> None:
        """A program with another reactor gets an error that says so."""
        clock = Clock()
        self.install(clock)

        async def main() -> None:
            async with asyncio_reactor():
                self.fail("it must not begin")

        with self.assertRaisesRegex(LocalProtocolError, "Twisted's reactor is Clock, which"):
            asyncio.run(main())
        self.assertIs(sys.modules[REACTOR], clock)

    def test_under_asyncio(self) -> None:
        """A program that runs under Twisted's asyncio reactor gets that reactor, which goes on."""

        async def main() -> None:
            reactor: Any = AsyncioSelectorReactor(asyncio.get_running_loop())
            self.install(reactor)
            with self.assertRaisesRegex(LocalProtocolError, "AsyncioSelectorReactor, which"):
                async with asyncio_reactor():
                    self.fail("that reactor does not run yet")
            reactor.running = True
            try:
                async with asyncio_reactor() as found:
                    self.assertIs(found, reactor)
                self.assertIs(sys.modules[REACTOR], reactor)
                self.assertTrue(reactor.running)
            finally:
                reactor.removeReader(reactor.waker)
                reactor.waker.connectionLost(None)

        asyncio.run(main())


class CheckRunsTests(SynchronousTestCase):
    """Whether a reactor can run where asyncio may run."""

    def reactor(self, made: Any) -> Any:
        """Have a reactor for the time of the test."""

        def close() -> None:
            made.removeReader(made.waker)
            made.waker.connectionLost(None)

        self.addCleanup(close)
        return made

    def check(self, *reactors: object) -> None:
        """Check reactors while asyncio runs."""

        async def main() -> None:
            for reactor in reactors:
                check_runs(reactor)

        asyncio.run(main())

    def test_without_asyncio(self) -> None:
        """If asyncio does not run, any reactor can."""
        check_runs(self.reactor(SelectReactor()))

    def test_clock(self) -> None:
        """A test's clock runs anywhere."""
        self.check(Clock(), None)

    def test_outside(self) -> None:
        """A reactor outside of asyncio's event loops cannot run in them, and the error helps."""
        with self.assertRaises(LocalProtocolError) as raised:
            self.check(self.reactor(SelectReactor()))
        self.assertEqual(
            str(raised.exception),
            "SelectReactor does not run in asyncio's event loop; use the reactor "
            "of `async with chatd.asyncio_reactor() as reactor:`",
        )

    def test_another_loop(self) -> None:
        """In another event loop than the reactor's, the error says how to reach the reactor's."""
        other = asyncio.new_event_loop()
        self.addCleanup(other.close)
        with self.assertRaises(LocalProtocolError) as raised:
            self.check(self.reactor(AsyncioSelectorReactor(other)))
        self.assertEqual(
            str(raised.exception),
            "the reactor runs in another event loop, perhaps of another thread; call chatd there: "
            "asyncio.run_coroutine_threadsafe(coroutine, loop) runs a coroutine in that loop",
        )
