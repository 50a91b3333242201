"""`Shutdown`: sends all clients `shutting-down`, and waits until they have left."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.errors import SessionEnded
from chatd.server.connections import Closable, Connections

__all__ = ["Shutdown"]


class Shutdown:
    """Ends all sessions when their messages have answers, and all connections within the grace.

    Args:
        clock: The reactor, or a test's clock.
        connections: The connections.
        call_when_stored: Calls back when all messages until now have their answers.
        flush: Writes all queued frames.

    Attributes:
        is_under_way: Whether the server is stopping or has stopped, and has not started again.
    """

    def __init__(
        self,
        clock: IReactorTime,
        connections: Connections[Closable],
        call_when_stored: Callable[[Callable[[], None]], None],
        flush: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._connections = connections
        self._call_when_stored = call_when_stored
        self._flush = flush
        self.is_under_way = False
        self._waiters: list[Deferred[None]] = []
        self._timers: list[IDelayedCall] = []

    def begin(self, end: SessionEnded, grace_s: float) -> Deferred[None]:
        """Send every client the goodbye after all answers, or after half of the grace.

        Args:
            end: The reason for the clients.
            grace_s: How long the shutdown may take, in seconds; then connections that are still
                open are aborted.

        Returns:
            A Deferred that fires with None when all connections are closed and all messages are
            stored, or when the grace is over.
        """
        self.is_under_way = True
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        self._timers += [
            self._clock.callLater(grace_s / 2, self._end_all, end),
            self._clock.callLater(grace_s, self.cut_short),
        ]
        self._call_when_stored(lambda: self._end_all(end))
        return waiter

    def cut_short(self) -> None:
        """Abort all connections and stop waiting, if the shutdown is under way."""
        if self.is_under_way:
            for connection in list(self._connections):
                connection.abort()
            self._done()

    def take_back(self) -> None:
        """Accept clients again; Deferreds of an earlier shutdown still wait for their end."""
        self.is_under_way = False

    def check(self) -> None:
        """Finish if all connections have ended; called after each end of a connection."""
        if self.is_under_way and not self._connections:
            # The sessions' last messages are stored first. If that takes longer than the grace, the
            # server may have started again, and a new shutdown may be under way.
            waiters = list(self._waiters)
            self._call_when_stored(lambda: self._done() if waiters == self._waiters else None)

    def _end_all(self, end: SessionEnded) -> None:
        """End all sessions."""
        if not self.is_under_way:  # storing took so long that the server has started again
            return
        for connection in list(self._connections):
            connection.end_session(end.code, end.reason, retry=end.retry)
        self._flush()
        self.check()

    def _done(self) -> None:
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        self._timers = []
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)
