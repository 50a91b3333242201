"""`CommandBudget`: bounds the time that all clients' commands take in a turn."""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from chatd.transport.timer import Timer

__all__ = ["MOST_S", "CommandBudget"]

MOST_S = 0.01
"""Seconds that commands may take in a turn; then the others wait for the next turn."""


class CommandBudget:
    """Orders commands first come, first served, and bounds their time in each turn.

    So commands delay all other work by no more than this time, with any number of clients.

    Args:
        clock: The reactor, or a test's clock; it calls back in the next turn.
        most_s: The time for commands in a turn, in seconds; a command that has begun is not
            stopped.
    """

    def __init__(self, clock: IReactorTime, most_s: float = MOST_S) -> None:
        self._most_s = most_s
        self._spent_s = 0.0
        self._waiting: deque[Deferred[None]] = deque()
        self._next_turn = Timer(clock)

    def ask(self) -> Deferred[None] | None:
        """Ask to begin a command.

        Returns:
            A Deferred that fires with None when the command may begin; None if it may begin now.
        """
        if not self._waiting and self._spent_s < self._most_s:
            return None
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def spend(self, seconds: float) -> None:
        """Count the time that a command took."""
        if seconds > 0:
            self._spent_s += seconds
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
