"""`Connections`: counts connections, and selects the ones to close when there are too many."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from chatd.chat.addresses import site_of
from chatd.errors import ErrorCode, RequestError
from chatd.server.limits import Limits
from chatd.server.sites import PerSite

__all__ = ["Closable", "Connections"]

P = TypeVar("P")
"""The type of a connection."""


class Closable(Protocol):
    """A connection that can be closed."""

    def end_session(self, code: str, reason: str, *, retry: bool = False) -> None:
        """Send the reason, and close the connection."""

    def abort(self) -> None:
        """Close the connection at once, and drop unsent data."""


class Connections(Generic[P]):
    """Counts connections and sessions, in total and of each address.

    Args:
        limits: The limits for peers.

    Attributes:
        departures: The number of connections that have closed since the start.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.departures = 0
        self._connections: dict[P, None] = {}
        self._waiting: PerSite[P] = PerSite()  # for a session
        self._sessions: Counter[str] = Counter()
        self._established: dict[P, str] = {}
        self._refused: OrderedDict[P, None] = OrderedDict()
        self._arriving: OrderedDict[P, int] = OrderedDict()
        self._arriving_bytes = 0

    def __len__(self) -> int:
        """Return the number of connections."""
        return len(self._connections)

    def __iter__(self) -> Iterator[P]:
        return iter(self._connections)

    @property
    def sessions(self) -> int:
        """The number of connections that have a session."""
        return len(self._established)

    @property
    def arriving_bytes(self) -> int:
        """The number of bytes that have arrived and cannot be acted on yet."""
        return self._arriving_bytes

    def connected(self, connection: P, address: str) -> P | None:
        """Count a new connection, which has no session yet.

        Returns:
            The connection that must be closed to make room for it, or None.
        """
        site = site_of(address)
        leaving = None
        if len(self._waiting) >= self._limits.max_unestablished:
            leaving = self._waiting.first_to_go(site)
            self._waiting.discard(leaving)
        self._connections[connection] = None
        self._waiting.add(connection, site)
        return leaving

    def identified(self, connection: P, address: str) -> None:
        """Move a connection without a session to the address that is known only now."""
        self._waiting.move(connection, site_of(address))

    def make_room(self) -> P | None:
        """Remove a connection without a session when the system has no room for another.

        Refused connections that are still open come first.

        Returns:
            The connection that must be aborted, or None if every connection has a session.
        """
        if self._refused:
            return self._refused.popitem(last=False)[0]
        if not self._waiting:
            return None
        leaving = self._waiting.first_to_go()
        self._waiting.discard(leaving)
        return leaving

    def check(self, address: str) -> None:
        """Refuse a session if there are too many.

        Args:
            address: The client's address; a proxy may have told it after the connection began.

        Raises:
            RequestError: `too-many-sessions`.
        """
        if len(self._established) >= self._limits.max_sessions:
            raise RequestError(
                ErrorCode.TOO_MANY_SESSIONS, "the server has reached its limit of sessions"
            )
        if self._sessions[site_of(address)] >= self._limits.max_sessions_per_address:
            raise RequestError(
                ErrorCode.TOO_MANY_SESSIONS, "there are too many sessions from your address"
            )

    def established(self, connection: P, address: str) -> None:
        """Count a connection's new session."""
        self._waiting.discard(connection)
        site = self._established[connection] = site_of(address)
        self._sessions[site] += 1

    def arriving(self, connection: P, held: int) -> list[P]:
        """Note how many bytes of a connection have arrived and cannot be acted on yet.

        Args:
            connection: The connection.
            held: How many bytes it holds now.

        Returns:
            The connections that must be closed: those that hold at least the average, oldest
            incomplete frame first, until the total fits.
        """
        arriving = self._arriving
        before = arriving.get(connection, 0)
        if held:
            arriving[connection] = held  # its place in the order is that of the frame's start
            if held < before:  # a new frame has started
                arriving.move_to_end(connection)
        elif before:
            del arriving[connection]
        self._arriving_bytes += held - before
        leaving: list[P] = []
        while self._arriving_bytes > self._limits.max_arriving:
            mean = self._arriving_bytes / len(arriving)
            oldest = next(each for each, size in arriving.items() if size >= mean)
            self._arriving_bytes -= arriving.pop(oldest)
            leaving.append(oldest)
        return leaving

    def ended(self, connection: P, *, is_gone: bool = False) -> P | None:
        """Note that a connection no longer waits for a session, and no longer has a session.

        It may stay open for a while, so that the peer can read the reason. The number of open
        connections that were refused before they had a session is bounded, too.

        Args:
            connection: The connection.
            is_gone: Whether the connection is closed already.

        Returns:
            The connection that must be aborted to stay within the bound, or None.
        """
        self._waiting.discard(connection)
        self._arriving_bytes -= self._arriving.pop(connection, 0)
        site = self._established.pop(connection, None)
        if site is None and is_gone:
            return None
        if site is None:
            self._refused[connection] = None
            if len(self._refused) <= self._limits.max_unestablished:
                return None
            return self._refused.popitem(last=False)[0]
        self._sessions[site] -= 1
        if not self._sessions[site]:
            del self._sessions[site]
        return None

    def disconnected(self, connection: P) -> None:
        """Remove a connection after it has closed."""
        self._refused.pop(connection, None)
        if connection in self._connections:
            del self._connections[connection]
            self.departures += 1
