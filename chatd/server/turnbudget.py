"""`TurnBudget`: bounds the time that work of one kind takes in a turn of the reactor."""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from chatd.transport.timer import Timer

__all__ = ["MOST_S", "TurnBudget"]

MOST_S = 0.01
"""Seconds that work of one kind may take in a turn; then the rest waits for the next turn."""


class TurnBudget:
    """Orders work first come, first served, and bounds its time in each turn.

    So it delays all other work by no more than this time, with any number of clients.

    Args:
        clock: The reactor, or a test's clock; it calls back in the next turn.
        most_s: The time for the work in a turn, in seconds; work that has begun is not stopped.
    """

    def __init__(self, clock: IReactorTime, most_s: float = MOST_S) -> None:
        self._most_s = most_s
        self._spent_s = 0.0
        self._waiting: deque[Deferred[None]] = deque()
        self._next_turn = Timer(clock)

    def ask(self) -> Deferred[None] | None:
        """Ask to begin work.

        Returns:
            A Deferred that fires with None when the work may begin; None if it may begin now.
        """
        if not self._waiting and self._spent_s < self._most_s:
            return None
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def spend(self, seconds: float) -> None:
        """Count the time that work took.

        The work of short turns is counted together: a callback for each would take longer.
        """
        self._spent_s += max(seconds, 0.0)  # the clock of a library's user may be set back
        if self._spent_s >= self._most_s:
            self._see_to_the_next()

    def _see_to_the_next(self) -> None:
        if not self._next_turn.is_running:
            self._next_turn.start(0, self._begin_turn)

    def _begin_turn(self) -> None:
        self._spent_s = 0.0
        while self._waiting and self._spent_s < self._most_s:
            self._waiting.popleft().callback(None)
        if self._waiting:
            self._see_to_the_next()
