"""`LoadShedder`: closes connections if there are too many, or if too many bytes arrive."""

from __future__ import annotations

from chatd.errors import ErrorCode
from chatd.server.connections import Closable, Connections

__all__ = ["LoadShedder"]


class LoadShedder:
    """Closes the connections that the counts select.

    Args:
        connections: Counts the connections, and their bytes that cannot be acted on yet.
    """

    def __init__(self, connections: Connections[Closable]) -> None:
        self._connections = connections

    def connected(self, connection: Closable, address: str) -> None:
        """Count a new connection; if too many have no session, close one of them."""
        leaving = self._connections.connected(connection, address)
        if leaving is not None:
            _shed(leaving, "too many connections wait for a session")

    def make_room(self) -> bool:
        """Abort a connection without a session, to make room for a new connection.

        Returns:
            Whether there was a connection without a session.
        """
        leaving = self._connections.make_room()
        if leaving is None:
            return False
        _shed(leaving, "the server's file descriptors run out, and other clients wait")
        leaving.abort()
        return True

    def arriving(self, connection: Closable, held_bytes: int) -> None:
        """Note how many bytes of a connection cannot be acted on yet; bound the total."""
        for leaving in self._connections.arriving(connection, held_bytes):
            _shed(leaving, "too many messages are incomplete or came too fast")

    def ended(self, connection: Closable, *, is_gone: bool) -> None:
        """Note that a connection no longer waits for a session, and no longer has a session."""
        leaving = self._connections.ended(connection, is_gone=is_gone)
        if leaving is not None:
            leaving.abort()


def _shed(connection: Closable, reason: str) -> None:
    connection.end_session(ErrorCode.OVERLOADED, reason, retry=True)
