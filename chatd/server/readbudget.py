"""`ReadBudget`: bounds the time that received data takes in a turn of the reactor."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from chatd.server.turnbudget import MOST_S, TurnBudget

__all__ = ["ReadBudget"]


class ReadBudget(TurnBudget):
    """The time for long reads; short reads are acted on at once, and do not count.

    So a message of a client waits for no more than this time and other clients' short reads.

    Args:
        clock: The reactor, or a test's clock.
        most_bytes: How many bytes may wait in all.
        most_s: The time for long reads in a turn, in seconds.
    """

    def __init__(self, clock: IReactorTime, most_bytes: float, most_s: float = MOST_S) -> None:
        super().__init__(clock, most_s)
        self._most_bytes = most_bytes
        self._waiting_bytes = 0

    def ask_to_read(self, size: int) -> Deferred[None] | None:
        """Ask to act on a read of `size` bytes; it does not wait if too many bytes would wait.

        Returns:
            A Deferred that fires with None when that may begin; None if it may begin now.
        """
        if self._waiting_bytes + size > self._most_bytes:
            return None
        asked = self.ask()
        if asked is not None:
            self._waiting_bytes += size
            asked.addCallback(lambda _: self._begin(size))
        return asked

    def _begin(self, size: int) -> None:
        self._waiting_bytes -= size
