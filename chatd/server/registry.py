"""`SessionRegistry`: the established sessions of a server, and who waits for one."""

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

__all__ = ["SessionRegistry"]


class SessionRegistry(Generic[S]):
    """Takes sessions into the chat and onto the heartbeats, and out of both.

    Args:
        roster: Who is here, and in which rooms.
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
        """Take an established session in, and into rooms that are held for it."""
        self.sessions[session.id] = session
        self._connections.established(session.protocol, session.address)
        self._wheel.add(session.protocol)
        self._roster.arrive(session, rooms)

    def remove(self, session: S, *, is_silent: bool) -> None:
        """Take a session out.

        Args:
            session: The session.
            is_silent: Whether nobody is told. When everyone goes, to tell each of all the others
                would be quadratic.
        """
        del self.sessions[session.id]
        self._active.discard(session.id)
        self._wheel.discard(session.protocol)
        self._roster.depart(session, is_silent=is_silent)

    def when_active(self, name: str) -> Deferred[S]:
        """Return a Deferred of the session of that name, the next one where there is none now.

        It may be cancelled, and fails with `SessionEnded` where `close` is called first.
        """
        key = fold(name)
        for session in self.sessions.values():
            if session.key == key and session.id in self._active:
                return succeed(session)
        waiter: Deferred[S] = Deferred(lambda _: self._forget(key, waiter))
        self._waiting.setdefault(key, []).append(waiter)
        return waiter

    def active(self, session: S) -> None:
        """Note that a session's own `established` is done, and tell those who wait for it."""
        if session.id not in self.sessions:  # it ended meanwhile
            return
        self._active.add(session.id)
        for waiter in self._waiting.pop(session.key, ()):
            waiter.callback(session)

    def close(self, end: SessionEnded) -> None:
        """Tell all who wait that nobody will come any more."""
        waiting, self._waiting = self._waiting, {}
        for waiters in waiting.values():
            for waiter in waiters:
                waiter.errback(end.again())

    def _forget(self, key: str, waiter: Deferred[S]) -> None:
        waiting = self._waiting[key]
        waiting.remove(waiter)
        if not waiting:
            del self._waiting[key]
