"""`Connections`: which connections there are, and which of them must go when there are too many."""

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
"""What stands for a connection."""


class Closable(Protocol):
    """A connection that can be closed."""

    def end_session(self, code: str, reason: str, *, retry: bool = False) -> None:
        """Say why, and close."""

    def abort(self) -> None:
        """Cut it off, whatever was still to be said."""


class Connections(Generic[P]):
    """Counts connections and sessions, in all and of each address.

    Args:
        limits: How many there may be.

    Attributes:
        departures: How many connections have gone since the beginning.
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
        """Return how many connections there are."""
        return len(self._connections)

    def __iter__(self) -> Iterator[P]:
        return iter(self._connections)

    @property
    def sessions(self) -> int:
        """How many of them have a session."""
        return len(self._established)

    @property
    def arriving_bytes(self) -> int:
        """How much has arrived of frames that are not whole."""
        return self._arriving_bytes

    def connected(self, connection: P, address: str) -> P | None:
        """Count a connection in, as one without a session.

        Returns:
            The connection that must go for it, or None.
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
        """Count a connection without a session to an address that was not known before."""
        self._waiting.move(connection, site_of(address))

    def make_room(self) -> P | None:
        """Count out a connection without a session, where the system has no room for another.

        Those that were sent away and have not gone come first.

        Returns:
            The connection that must be cut off, or None where there is none.
        """
        if self._refused:
            return self._refused.popitem(last=False)[0]
        if not self._waiting:
            return None
        leaving = self._waiting.first_to_go()
        self._waiting.discard(leaving)
        return leaving

    def check(self, address: str) -> None:
        """Refuse a session where there are as many as there may be.

        Args:
            address: Whose it would be; known better by now than when it connected.

        Raises:
            RequestError: `too-many-sessions`.
        """
        if len(self._established) >= self._limits.max_sessions:
            raise RequestError(
                ErrorCode.TOO_MANY_SESSIONS, "the server has as many sessions as it takes"
            )
        if self._sessions[site_of(address)] >= self._limits.max_sessions_per_address:
            raise RequestError(
                ErrorCode.TOO_MANY_SESSIONS, "there are too many sessions from your address"
            )

    def established(self, connection: P, address: str) -> None:
        """Count a connection's session in."""
        self._waiting.discard(connection)
        site = self._established[connection] = site_of(address)
        self._sessions[site] += 1

    def arriving(self, connection: P, held: int) -> list[P]:
        """Note how much has arrived of a connection's frame that is not whole.

        Returns:
            The connections that must go for it: of those that hold no less than most, the ones
            whose frames have been arriving for the longest.
        """
        arriving = self._arriving
        before = arriving.get(connection, 0)
        if held:
            arriving[connection] = held  # its place is that of the frame's beginning
            if held < before:  # which is another's
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
        """Count a connection out of those that wait for a session or have one.

        It may be there for a while, to read why; those that had no session are bounded, too.

        Args:
            connection: The connection.
            is_gone: Whether it is there no more.

        Returns:
            The connection that must be cut off for it, or None.
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
        """Count a connection out, after its end."""
        self._refused.pop(connection, None)
        if connection in self._connections:
            del self._connections[connection]
            self.departures += 1
