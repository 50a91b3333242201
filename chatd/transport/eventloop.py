"""Reactors in asyncio's event loop: `asyncio_reactor` runs one, `check_runs` looks for it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import twisted.internet
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.base import ReactorBase
from twisted.internet.main import CONNECTION_LOST, installReactor

from chatd.errors import LocalProtocolError

__all__ = ["asyncio_reactor", "check_runs"]

_REACTOR = "twisted.internet.reactor"


@asynccontextmanager
async def asyncio_reactor() -> AsyncIterator[Any]:
    """Run a Twisted reactor in asyncio's running event loop, and give it to the context.

    Use it once for the whole program, around everything that uses chatd::

        async with chatd.asyncio_reactor() as reactor:
            client = await chatd.connect(reactor, "tcp:localhost:9999", name="web")

    Until its end it is Twisted's global reactor, which TLS connections need. At the end, everything
    that is still open on it is closed. It leaves the signals to asyncio, so it does not notice the
    end of child processes. If the program runs under Twisted's asyncio reactor already, the context
    gets that reactor, which goes on.

    Raises:
        LocalProtocolError: The program has installed another reactor; `from twisted.internet import
            reactor` does that.
    """
    loop = asyncio.get_running_loop()
    installed: Any = sys.modules.get(_REACTOR)
    if installed is not None and not (_is_in(installed, loop) and installed.running):
        raise LocalProtocolError(
            f"Twisted's reactor is {type(installed).__name__}, which does not run in asyncio's "
            "event loop; a program under asyncio must not import twisted.internet.reactor"
        )
    if installed is not None:
        yield installed
        return
    reactor = _LoopReactor(loop)
    try:
        yield reactor
    finally:
        await reactor.close()


def check_runs(reactor: object) -> None:
    """Check that a reactor can run: if asyncio runs in this thread, only one in its loop can.

    Args:
        reactor: A reactor, or a test's clock, which always passes.

    Raises:
        LocalProtocolError: The reactor does not run in asyncio's running event loop, or it was that
            of an `asyncio_reactor` which has ended.
    """
    if isinstance(reactor, _LoopReactor) and not reactor.running:
        raise LocalProtocolError(
            "the reactor runs no more: use it inside `async with chatd.asyncio_reactor()`"
        )
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    if isinstance(reactor, ReactorBase) and not _is_in(reactor, loop):
        raise LocalProtocolError(
            f"{type(reactor).__name__} does not run in asyncio's event loop; use the reactor of "
            "`async with chatd.asyncio_reactor() as reactor:`"
        )


def _is_in(reactor: object, loop: asyncio.AbstractEventLoop) -> bool:
    is_of_asyncio = isinstance(reactor, AsyncioSelectorReactor)
    return is_of_asyncio and getattr(reactor, "_asyncioEventloop", loop) is loop


class _LoopReactor(AsyncioSelectorReactor):
    """A reactor in an event loop that it neither starts nor stops."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._closed: asyncio.Future[None] = loop.create_future()
        installReactor(self)
        self.startRunning(installSignalHandlers=False)

    def crash(self) -> None:
        """Stop the reactor, and let the event loop go on."""
        super(AsyncioSelectorReactor, self).crash()

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
