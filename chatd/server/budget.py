"""`CommandBudget`: how much of a turn commands may take, whoever gives them."""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["MOST_S", "CommandBudget"]

MOST_S = 0.01
"""How long commands may take in a turn before those that are left wait for the next, in seconds."""


class CommandBudget:
    """Lets work be done in the order in which it is asked for, and only so much of it in a turn.

    However many ask for it, everything else is no later for it than by this.

    Args:
        clock: What calls back in the next turn; the reactor, or a test's clock.
        most_s: How much in a turn, in seconds; work that has begun is not stopped.
    """

    def __init__(self, clock: IReactorTime, most_s: float = MOST_S) -> None:
        self._clock = clock
        self._most_s = most_s
        self._spent_s = 0.0
        self._waiting: deque[Deferred[None]] = deque()
        self._call: IDelayedCall | None = None

    def ask(self) -> Deferred[None] | None:
        """Ask to begin.

        Returns:
            A Deferred that fires with None when it may begin, or None for at once.
        """
        if not self._waiting and self._spent_s < self._most_s:
            return None
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def spend(self, seconds: float) -> None:
        """Note how long something took."""
        if seconds > 0:
            self._spent_s += seconds
            self._see_to_the_next()

    def _see_to_the_next(self) -> None:
        if self._call is None:
            self._call = self._clock.callLater(0, self._begin_turn)

    def _begin_turn(self) -> None:
        self._call = None
        self._spent_s = 0.0
        while self._waiting and self._spent_s < self._most_s:
            self._waiting.popleft().callback(None)
        if self._waiting:
            self._see_to_the_next()
