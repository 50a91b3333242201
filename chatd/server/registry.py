"""`SessionRegistry`: the established sessions of a server, and the callers that wait for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from chatd.chat.names import fold
from chatd.chat.rooms import Room
from chatd.chat.roster import Roster
from chatd.errors import SessionEnded
from chatd.server.connections import Closable, Connections
from chatd.server.served import S
from chatd.transport.heartbeat import HeartbeatWheel
from chatd.transport.promise import Promise

__all__ = ["SessionRegistry"]


class SessionRegistry(Generic[S]):
    """Adds sessions to the chat and to the heartbeats, and removes them from both.

    Args:
        roster: The members and the rooms.
        connections: Counts the sessions of each address.
        clock: The reactor, or a test's clock.
        heartbeat_s: Seconds between two pings.

    Attributes:
        sessions: The established sessions, by their ids.
    """

    def __init__(
        self,
        roster: Roster[S],
        connections: Connections[Closable],
        clock: IReactorTime,
        heartbeat_s: float,
    ) -> None:
        self._roster = roster
        self._connections = connections
        self._wheel = HeartbeatWheel(clock, heartbeat_s)
        self._waiting: dict[str, list[Deferred[S]]] = {}
        self._active: set[str] = set()  # the ids of those whose `established` is done
        self.sessions: dict[str, S] = {}

    def add(self, session: S, rooms: Sequence[Room[S]]) -> None:
        """Add an established session, and let it join the rooms that are held for it."""
        self.sessions[session.id] = session
        self._connections.established(session.protocol, session.address)
        self._wheel.add(session.protocol)
        self._roster.arrive(session, rooms)

    def remove(self, session: S, *, is_silent: bool) -> None:
        """Remove a session.

        Args:
            session: The session.
            is_silent: Whether to send no events. At a shutdown, telling every session about every
                other session would take quadratic time.
        """
        del self.sessions[session.id]
        self._active.discard(session.id)
        self._wheel.discard(session.protocol)
        self._roster.depart(session, is_silent=is_silent)

    def when_active(self, name: str) -> Deferred[S]:
        """Return a Deferred of the session of a name: the present session, or the next.

        It may be cancelled. It fails with `SessionEnded` if `close` is called first.
        """
        key = fold(name)
        for session in self.sessions.values():
            if session.key == key and session.id in self._active:
                return succeed(session)
        waiter: Deferred[S] = Promise(lambda _: self._forget(key, waiter))
        self._waiting.setdefault(key, []).append(waiter)
        return waiter

    def active(self, session: S) -> None:
        """Fire the Deferreds that wait for this session's client."""
        if session.id not in self.sessions:  # it ended during the wait
            return
        self._active.add(session.id)
        for waiter in self._waiting.pop(session.key, ()):
            waiter.callback(session)

    def close(self, end: SessionEnded) -> None:
        """Fail all waiting Deferreds: no more clients will come."""
        waiting, self._waiting = self._waiting, {}
        for waiters in waiting.values():
            for waiter in waiters:
                waiter.errback(end.again())

    def _forget(self, key: str, waiter: Deferred[S]) -> None:
        waiting = self._waiting[key]
        waiting.remove(waiter)
        if not waiting:
            del self._waiting[key]
