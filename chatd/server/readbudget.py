"""`ReadBudget`: bounds the time that received data takes in a turn of the reactor."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from chatd.server.turnbudget import MOST_S, TurnBudget

__all__ = ["ReadBudget"]


class ReadBudget(TurnBudget):
    """The time for long reads; short reads are acted on at once, and do not count.

    So a message of a client waits for no more than this time and other clients' short reads, with
    any amount of data from any number of clients.

    Args:
        clock: The reactor, or a test's clock.
        has_room: Returns whether there is room for data that waits.
        most_s: The time for long reads in a turn, in seconds.
    """

    def __init__(
        self, clock: IReactorTime, has_room: Callable[[], bool], most_s: float = MOST_S
    ) -> None:
        super().__init__(clock, most_s)
        self._has_room = has_room

    def ask(self) -> Deferred[None] | None:
        """Ask to act on a long read.

        It may begin now if that is part of a read that has waited, or if there is no room to wait.
        """
        return None if self.is_calling or not self._has_room() else super().ask()
