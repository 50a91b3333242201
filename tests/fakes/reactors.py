"""An in-memory reactor with real threads."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.python.threadpool import ThreadPool

DEADLINE_S = 10
"""Maximum time for a thread, in seconds."""


class ThreadedReactor(MemoryReactorClock):
    """An in-memory reactor with real threads; their calls to it run in `wait_for`."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: queue.Queue[Callable[[], object]] = queue.Queue()
        self._pool = ThreadPool(0, 1)

    def getThreadPool(self) -> ThreadPool:
        if not self._pool.started:
            self._pool.start()
        return self._pool

    def callFromThread(self, function: Callable[..., object], *arguments: object) -> None:
        self._calls.put(lambda: function(*arguments))

    def wait_for(self, deferred: Deferred[Any]) -> None:
        """Run the calls from threads until a Deferred fires."""
        while not deferred.called or deferred.paused:
            self.advance(0)  # the calls schedule more at the end of the turn
            if not deferred.called:
                self._calls.get(timeout=DEADLINE_S)()

    def stop(self) -> None:
        """End the threads."""
        if self._pool.started:
            self._pool.stop()
