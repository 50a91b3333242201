"""An in-memory reactor with real threads, and a clock whose turns end."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.threadpool import ThreadPool

DEADLINE_S = 10
"""Maximum time for a thread, in seconds."""


class TurnClock(Clock):
    """A clock that makes one turn at a time, as a reactor does.

    `Clock.advance` makes a call that is scheduled for now in the same turn, too.
    """

    def turn(self) -> None:
        """Make the calls that are due now, and none that they schedule."""
        now = self.seconds()
        for call in [call for call in self.calls if call.getTime() <= now]:
            if call.active():
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)

    def finish(self) -> int:
        """Make turns until no call is due, and return their number."""
        turns = 0
        while any(call.getTime() <= self.seconds() for call in self.calls):
            self.turn()
            turns += 1
        return turns


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
