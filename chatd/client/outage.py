"""`Outage`: a time in which the server stores no messages, and when to try again."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.interfaces import IReactorTime

from chatd.errors import RequestError
from chatd.transport.timer import Timer

__all__ = ["FIRST_DELAY_S", "LONGEST_DELAY_S", "PATIENCE_S", "Outage"]

PATIENCE_S = 60.0
"""Time without a stored message, in seconds, after which refused messages are given up."""
FIRST_DELAY_S = 1.0
"""Time before the first attempt to send again, in seconds."""
LONGEST_DELAY_S = 8.0
"""Limit on the time between attempts, in seconds, which grows twofold with each."""


class Outage:
    """A time in which the server refuses messages because it cannot store them.

    It begins with a refusal. From then on messages wait, and are sent in attempts: one message
    after a delay; if that is stored, twice as many at once, and so on; after a refusal, again one
    message after a delay. So the server gets few messages that it cannot store.

    The outage only counts and measures: the owner sends the messages, asks after each turn what to
    do, and says when nothing waits any more.

    Args:
        clock: The reactor, or a test's clock.
        patience_s: The time without a stored message that ends it, in seconds.
        wake: Called when a time is over, so that the owner asks what to do.

    Attributes:
        is_on: Whether messages wait.
        refusal: The last refusal; None before the first.
        has_lost_patience: Whether the messages that were refused are to be given up.
    """

    def __init__(self, clock: IReactorTime, patience_s: float, wake: Callable[[], object]) -> None:
        self.is_on = False
        self.refusal: RequestError | None = None
        self.has_lost_patience = False
        self._patience_s = patience_s
        self._wake = wake
        self._patience = Timer(clock)
        self._delay = Timer(clock)
        self._delay_s = FIRST_DELAY_S
        self._size = 1
        self._was_refused = False  # a message of the present attempt
        self._was_stored = False
        self._refused: set[str] = set()
        self._last_tries: set[str] = set()

    @property
    def watches(self) -> bool:
        """Whether it must hear of receipts."""
        return self.is_on or bool(self._last_tries)

    def refused(self, id: str, refusal: RequestError) -> bool:
        """Note that the server did not store a message; return whether to send it again."""
        if id in self._last_tries:
            self._last_tries.discard(id)
            return False
        if not self.is_on:
            self.is_on = True
            self._delay_s = FIRST_DELAY_S
            self._patience.start(self._patience_s, self._lose_patience)
        self.refusal = refusal
        self._refused.add(id)
        self._was_refused = True
        return True

    def stored(self, id: str) -> None:
        """Note that the server has stored a message."""
        self.forget(id)
        if self.is_on:
            self._was_stored = True
            self._patience.start(self._patience_s, self._lose_patience)

    def forget(self, id: str) -> None:
        """Note that a message does not wait any more."""
        self._refused.discard(id)
        self._last_tries.discard(id)

    def next_size(self) -> int:
        """Return how many messages to send now that all answers are here; 0 to wait."""
        if self._was_refused:
            if self._was_stored:
                self._delay_s = FIRST_DELAY_S
            self._delay.start(self._delay_s, self._wake)
            self._delay_s = min(2 * self._delay_s, LONGEST_DELAY_S)
            self._size = 1
        elif self._was_stored:
            self._delay.stop()
        self._was_refused = self._was_stored = False
        if self._delay.is_running:
            return 0
        size, self._size = self._size, 2 * self._size
        return size

    def give_up(self, waiting: Iterable[str]) -> list[str]:
        """End it, with a last try of the messages that were never refused.

        Args:
            waiting: The ids of the messages that wait.

        Returns:
            The ids of those that were refused.
        """
        refused = [id for id in waiting if id in self._refused]
        self._last_tries.update(id for id in waiting if id not in self._refused)
        self.end()
        return refused

    def end(self) -> None:
        """Let messages go on."""
        self.is_on = self.has_lost_patience = self._was_refused = self._was_stored = False
        self._refused.clear()
        self._patience.stop()
        self._delay.stop()

    def _lose_patience(self) -> None:
        self.has_lost_patience = True
        self._wake()
