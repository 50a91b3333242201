"""`LoadShedder`: closes connections where there are too many, or where too much arrives."""

from __future__ import annotations

from chatd.errors import ErrorCode
from chatd.server.connections import Closable, Connections

__all__ = ["LoadShedder"]


class LoadShedder:
    """Acts on what the counts say: which connections must go.

    Args:
        connections: Counts the connections, and what has arrived of their messages.
    """

    def __init__(self, connections: Connections[Closable]) -> None:
        self._connections = connections

    def connected(self, connection: Closable, address: str) -> None:
        """Count a connection in; where that makes too many without a session, close one of them."""
        leaving = self._connections.connected(connection, address)
        if leaving is not None:
            _shed(leaving, "too many connections wait for a session")

    def make_room(self) -> bool:
        """Cut off a connection without a session, for one that the system has no room for.

        Returns:
            Whether there was one.
        """
        leaving = self._connections.make_room()
        if leaving is None:
            return False
        _shed(leaving, "the file descriptors run out, and others wait for a session")
        leaving.abort()
        return True

    def arriving(self, connection: Closable, held_bytes: int) -> None:
        """Note how much has arrived of a connection that was not acted on; bound all of it."""
        for leaving in self._connections.arriving(connection, held_bytes):
            _shed(leaving, "too much is arriving that is not whole or came too fast")

    def ended(self, connection: Closable, *, is_gone: bool) -> None:
        """Count a connection out of those that wait for a session or have one."""
        leaving = self._connections.ended(connection, is_gone=is_gone)
        if leaving is not None:
            leaving.abort()


def _shed(connection: Closable, reason: str) -> None:
    connection.end_session(ErrorCode.OVERLOADED, reason, retry=True)
