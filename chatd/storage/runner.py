"""`StoreThread`: runs the functions of a store that block."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

__all__ = ["StoreRunner", "StoreThread"]

T = TypeVar("T")


class StoreRunner(Protocol):
    """Runs functions that block, one at a time and in order; the results come in the same order."""

    def start(self) -> None:
        """Begin to run functions, also those that were given earlier."""

    def stop(self) -> None:
        """End; afterwards no function is running."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]:
        """Run a function."""


class _DaemonThread(threading.Thread):
    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  (as Thread's)
        super().__init__(*arguments, **options, daemon=True)


class StoreThread:
    """A `StoreRunner` with a thread of its own.

    Args:
        reactor: The reactor whose thread gets the results.
    """

    def __init__(self, reactor: Any) -> None:  # noqa: ANN401
        self._reactor = reactor
        self._pool = _new_pool()

    def start(self) -> None:
        """Start the thread."""
        self._pool.start()

    def stop(self) -> None:
        """Wait until the thread has ended; then another thread may be started."""
        pool, self._pool = self._pool, _new_pool()
        pool.stop()

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]:
        """Run a function in the thread; the Deferred fires in the reactor's thread."""
        return deferToThreadPool(self._reactor, self._pool, function)


def _new_pool() -> ThreadPool:
    pool = ThreadPool(1, 1, "chatd-store")
    # A daemon that cannot start does not stop the thread; its process must end all the same.
    pool.threadFactory = _DaemonThread
    return pool
