"""`Outage`: a time in which the server stores no messages."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from chatd.errors import RequestError
from chatd.transport.timer import Timer

__all__ = ["FIRST_DELAY_S", "LONGEST_DELAY_S", "MAX_OUTAGE_S", "Outage"]

MAX_OUTAGE_S = 60.0
"""Length of an outage, in seconds, after which the messages that wait are given up."""
FIRST_DELAY_S = 1.0
"""Time before the first attempt to send again, in seconds."""
LONGEST_DELAY_S = 8.0
"""Limit on the time between attempts, in seconds, which grows twofold with each."""


class Outage:
    """A time in which the server refuses messages because it cannot store them.

    Messages are held from the first refusal on. When no sent message waits for its answer, a delay
    begins, and at its end an attempt with one message. If that is not refused for the same reason,
    the outage is over.

    Args:
        clock: The reactor, or a test's clock.
        tell: Called with the first refusal.
        attempt: Sends one message; returns False if there is none.
        release: Sends all messages.
        give_up: Fails all messages with the last refusal.

    Attributes:
        is_on: Whether messages are held.
    """

    def __init__(
        self,
        clock: IReactorTime,
        tell: Callable[[RequestError], object],
        attempt: Callable[[], bool],
        release: Callable[[], object],
        give_up: Callable[[RequestError], object],
    ) -> None:
        self.is_on = False
        self._clock = clock
        self._tell = tell
        self._attempt = attempt
        self._release = release
        self._give_up = give_up
        self._timer = Timer(clock)
        self._began_at = 0.0
        self._delay_s = FIRST_DELAY_S
        self._refusal: RequestError | None = None

    def refused(self, refusal: RequestError) -> None:
        """Note that the server did not store a message."""
        self._refusal = refusal
        if not self.is_on:
            self.is_on = True
            self._began_at = self._clock.seconds()
            self._delay_s = FIRST_DELAY_S
            self._tell(refusal)

    def all_answered(self) -> None:
        """Note that no sent message waits for its answer."""
        if not self.is_on or self._timer.is_running:
            return
        refusal = self._refusal
        if refusal is None:
            self._end()
            self._release()
        elif self._clock.seconds() - self._began_at >= MAX_OUTAGE_S:
            self._end()
            self._give_up(refusal)
        else:
            self._timer.start(self._delay_s, self._try)
            self._delay_s = min(2 * self._delay_s, LONGEST_DELAY_S)

    def stop(self) -> None:
        """Make no further attempt: the session is over."""
        self._end()

    def _try(self) -> None:
        self._refusal = None
        if not self._attempt():
            self.all_answered()

    def _end(self) -> None:
        self.is_on = False
        self._timer.stop()
