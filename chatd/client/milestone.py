"""`Milestone`: a unique event in a session, and the Deferreds that wait for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred

from chatd.errors import SessionEnded
from chatd.transport.promise import Promise

__all__ = ["Milestone"]

T = TypeVar("T")


class Milestone(Generic[T]):
    """An event that happens once in a session, such as its end."""

    def __init__(self) -> None:
        self._waiting: list[Deferred[T]] = []
        self._outcome: Callable[[], T] | None = None

    @property
    def is_reached(self) -> bool:
        """Whether it has happened."""
        return self._outcome is not None

    def wait(self) -> Deferred[T]:
        """Return a Deferred that fires when the event happens, at once if it has happened."""
        waiting: Deferred[T] = Promise()
        if self._outcome is None:
            self._waiting.append(waiting)
        else:
            waiting.callback(self._outcome())
        return waiting

    def reach(self, outcome: Callable[[], T]) -> None:
        """Fire all Deferreds that wait.

        Args:
            outcome: Makes the result of each Deferred, now and later.
        """
        self._outcome = outcome
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.callback(outcome())

    def fail(self, reason: SessionEnded) -> None:
        """Fail all Deferreds that wait: the event will not happen."""
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.errback(reason)
