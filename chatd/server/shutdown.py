"""`Shutdown`: how a server that stops tells everyone, and waits until they are gone."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.errors import SessionEnded
from chatd.server.connections import Closable, Connections

__all__ = ["Shutdown"]


class Shutdown:
    """Ends all sessions when what they said has its answer, and all connections in their time.

    Args:
        clock: What tells the time.
        connections: The connections.
        call_when_stored: Calls back when all that was said until now has its answer.
        flush: Writes what was queued for everyone.

    Attributes:
        is_under_way: Whether the server is stopping or has stopped, and has not begun anew.
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
        """Tell every client, when what it said has its answer or half of the time is over.

        Args:
            end: What they are told.
            grace_s: How long all of it may take, in seconds; then those who are left are cut off.

        Returns:
            A Deferred that fires with None when all connections are closed, and what was said is
            stored.
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
        """Wait for nobody any more, where it is under way."""
        if self.is_under_way:
            for connection in list(self._connections):
                connection.abort()
            self._done()

    def take_back(self) -> None:
        """Let clients in again; who waits for an earlier end still waits for it."""
        self.is_under_way = False

    def check(self) -> None:
        """Look whether everyone is gone; called when somebody has."""
        if self.is_under_way and not self._connections:
            # What sessions said at their end is to be stored, too; where that takes longer than the
            # grace, the server may have begun anew, and not mean this stop any more.
            waiters = list(self._waiters)
            self._call_when_stored(lambda: self._done() if waiters == self._waiters else None)

    def _end_all(self, end: SessionEnded) -> None:
        """End all sessions, each of which has the answers to what it said."""
        if not self.is_under_way:  # it waited for a store, and the server has begun anew
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
