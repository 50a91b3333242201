"""`Wakeup`: lets a coroutine wait until something has changed."""

from __future__ import annotations

from twisted.internet.defer import Deferred

__all__ = ["Wakeup"]


class Wakeup:
    """Lets a coroutine wait until something has changed; it then looks for the change itself."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: Deferred[None] | None = None

    def wait(self) -> Deferred[None]:
        """Return a Deferred that fires at the next `fire`; only one caller can wait at a time."""
        self._waiting = Deferred()
        return self._waiting

    def fire(self) -> None:
        """Wake the coroutine that waits; do nothing if none does."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)
