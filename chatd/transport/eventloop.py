"""Reactors in asyncio's event loop: `asyncio_reactor` runs a reactor, `check_runs` checks it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import twisted.internet
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred
from twisted.internet.main import CONNECTION_LOST, installReactor

from chatd.errors import LocalProtocolError

__all__ = ["asyncio_reactor", "check_loop", "check_runs", "stop_at_end"]

_REACTOR = "twisted.internet.reactor"


@asynccontextmanager
async def asyncio_reactor() -> AsyncIterator[Any]:
    """Run a Twisted reactor in asyncio's running event loop, and give it to the context.

    Use it once for the whole program, around everything that uses chatd::

        async with chatd.asyncio_reactor() as reactor:
            client = await chatd.connect(reactor, "tcp:localhost:9999", name="web")

    Until its end it is Twisted's global reactor, which TLS connections need. Contexts that overlap,
    for example in two tasks, share it, and it ends with the last of them. At its end, it stops each
    `ChatClientService` that still runs on it, and closes everything that is still open on it. It
    leaves the signals to asyncio, so it does not notice the end of child processes. If the program
    runs under Twisted's asyncio reactor already, the context gets that reactor, which goes on.

    Raises:
        LocalProtocolError: The program has installed another reactor; `from twisted.internet import
            reactor` does that.
    """
    loop = asyncio.get_running_loop()
    installed: Any = sys.modules.get(_REACTOR)
    if installed is not None and not (_is_in(installed, loop) and installed.running):
        raise LocalProtocolError(
            f"Twisted's reactor is {type(installed).__name__}, which does not run in asyncio's "
            "event loop; a program under asyncio must not import twisted.internet.reactor, as "
            "pytest-twisted does: run pytest with -p no:twisted"
        )
    if installed is not None and not isinstance(installed, _LoopReactor):
        yield installed
        return
    reactor = _LoopReactor(loop) if installed is None else installed
    reactor.contexts += 1
    try:
        yield reactor
    finally:
        reactor.contexts -= 1
        if not reactor.contexts:
            await reactor.close()


def stop_at_end(reactor: object, stop: Callable[[], Deferred[None]]) -> Callable[[], None]:
    """Stop something at the end of the `asyncio_reactor`.

    Other reactors belong to an application, which stops its services itself.

    Args:
        reactor: Any reactor.
        stop: Called at the end; the end waits for its Deferred.

    Returns:
        A function that prevents the call of `stop`; call it when the thing has stopped already.
    """
    if not isinstance(reactor, _LoopReactor):
        return lambda: None
    return reactor.before_end(stop)


def check_runs(reactor: object) -> None:
    """Check that a reactor can run: if asyncio runs in this thread, it must run in asyncio's loop.

    Args:
        reactor: A reactor, or a test's clock, which always passes.

    Raises:
        LocalProtocolError: The reactor does not run in asyncio's running event loop, or it belonged
            to an `asyncio_reactor` that has ended.
    """
    if isinstance(reactor, _LoopReactor) and not reactor.running:
        raise LocalProtocolError(
            "the reactor runs no more: use it inside `async with chatd.asyncio_reactor()`"
        )
    check_loop(reactor)


def check_loop(reactor: object) -> None:
    """Check that the caller is not in another event loop than a reactor; this costs little.

    Args:
        reactor: A reactor, or a test's clock, which always passes.

    Raises:
        LocalProtocolError: asyncio runs here, in another loop than the reactor.
    """
    loop = asyncio._get_running_loop()  # as `get_running_loop`, but None without asyncio
    if loop is None or not isinstance(reactor, ReactorBase) or _is_in(reactor, loop):
        return
    if isinstance(reactor, AsyncioSelectorReactor):
        raise LocalProtocolError(
            "the reactor runs in another event loop, perhaps of another thread; call chatd "
            "there: asyncio.run_coroutine_threadsafe(coroutine, loop) runs a coroutine in that "
            "loop"
        )
    raise LocalProtocolError(
        f"{type(reactor).__name__} does not run in asyncio's event loop; use the reactor of "
        "`async with chatd.asyncio_reactor() as reactor:`"
    )


def _is_in(reactor: object, loop: asyncio.AbstractEventLoop) -> bool:
    is_of_asyncio = isinstance(reactor, AsyncioSelectorReactor)
    return is_of_asyncio and getattr(reactor, "_asyncioEventloop", loop) is loop


class _LoopReactor(AsyncioSelectorReactor):
    """A reactor in an event loop that it neither starts nor stops.

    Attributes:
        contexts: How many contexts use it; the last of them to end closes it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.contexts = 0
        self._closed: asyncio.Future[None] = loop.create_future()
        installReactor(self)
        self.startRunning(installSignalHandlers=False)

    def crash(self) -> None:
        """Stop the reactor, and let the event loop go on."""
        super(AsyncioSelectorReactor, self).crash()

    def before_end(self, stop: Callable[[], Deferred[None]]) -> Callable[[], None]:
        """Call a function once before the end; the result of this method prevents the call."""
        has_begun = False

        def begin() -> Deferred[None]:
            nonlocal has_begun
            has_begun = True
            return stop()

        def forget() -> None:
            if not has_begun:  # Twisted warns about a trigger that has fired
                self.removeSystemEventTrigger(trigger)

        trigger = self.addSystemEventTrigger("before", "shutdown", begin)
        return forget

    async def close(self) -> None:
        """Stop the reactor, unless the program did, and close all that is open on it."""
        if self.running:
            self.addSystemEventTrigger("after", "shutdown", self._closed.set_result, None)
            self.fireSystemEvent("shutdown")
            await self._closed
        for call in self.getDelayedCalls():
            call.cancel()
        self.removeReader(self.waker)
        self.waker.connectionLost(CONNECTION_LOST)
        del sys.modules[_REACTOR], twisted.internet.reactor
