"""`StoreThread`: runs the functions of a store that block."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatd.errors import ConfigurationError

__all__ = ["StoreRunner", "StoreThread"]

T = TypeVar("T")


class StoreRunner(Protocol):
    """Runs functions that block, one at a time and in order; the results come in the same order."""

    def start(self) -> None:
        """Begin to run functions, also those that were given earlier.

        Raises:
            ConfigurationError: It cannot begin; the text gives the reason in one line.
        """

    def stop(self) -> None:
        """End; afterwards no function is running."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]:
        """Run a function."""


class StoreThread:
    """A `StoreRunner` with a thread of its own.

    It has one queue, and calls the reactor once for each result. Twisted's thread pool, which is
    made for many threads, takes a third more CPU time for a call.

    Args:
        reactor: The reactor whose thread gets the results.
    """

    def __init__(self, reactor: Any) -> None:  # noqa: ANN401
        self._reactor = reactor
        # The functions to run, with the Deferreds of their results; None ends the thread.
        self._waiting: SimpleQueue[tuple[Callable[[], Any], Deferred[Any]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread.

        Raises:
            ConfigurationError: The system has no thread or no memory for it.
        """
        # A daemon that cannot start does not stop the thread; its process must end all the same.
        thread = threading.Thread(target=self._work, name="chatd-store", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise ConfigurationError(f"the store cannot be opened: {error}") from error
        self._thread = thread

    def stop(self) -> None:
        """Wait until the thread has ended; then another thread may be started."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join()

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]:
        """Run a function in the thread; the Deferred fires in the reactor's thread."""
        result: Deferred[T] = Deferred()
        self._waiting.put((function, result))
        return result

    def _work(self) -> None:
        while self._work_once():
            pass

    def _work_once(self) -> bool:
        """Wait for a function, and run it; return whether the thread goes on.

        A call of its own, so that the thread does not keep the last result while it waits.
        """
        waiting = self._waiting.get()
        if waiting is None:
            return False
        function, result = waiting
        try:
            value = function()
        except BaseException:
            self._reactor.callFromThread(result.errback, Failure())
        else:
            self._reactor.callFromThread(result.callback, value)
        return True
