"""The SQL of the tables `private_rooms` and `invited`. Callers take care of transactions."""

from __future__ import annotations

import sqlite3
from collections import defaultdict

from chatd.storage.privateroom import PrivateRoom

__all__ = ["RoomTable"]


class RoomTable:
    """The tables of the private rooms, and of the names that are invited to them.

    Args:
        connection: The connection to the database.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def find(self, key: str) -> PrivateRoom | None:
        """Return a private room by its folded name, or None."""
        execute = self._connection.execute
        row = execute("SELECT name FROM private_rooms WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        invited = execute("SELECT name FROM invited WHERE room = ?", (key,))
        return PrivateRoom(key, row[0], frozenset(name for (name,) in invited))

    def load(self) -> list[PrivateRoom]:
        """Return all private rooms, in the order of their folded names."""
        execute = self._connection.execute
        invited: defaultdict[str, list[str]] = defaultdict(list)
        for key, name in execute("SELECT room, name FROM invited"):
            invited[key].append(name)
        return [
            PrivateRoom(key, name, frozenset(invited[key]))
            for key, name in execute("SELECT key, name FROM private_rooms ORDER BY key")
        ]

    def save(self, room: PrivateRoom) -> None:
        """Write a private room and its invited names; they replace those of before."""
        self.drop(room.key)
        self._connection.execute("INSERT INTO private_rooms VALUES (?, ?)", (room.key, room.name))
        self._connection.executemany(
            "INSERT INTO invited VALUES (?, ?)", [(room.key, name) for name in sorted(room.invited)]
        )

    def drop(self, key: str) -> None:
        """Delete a private room and its invited names."""
        self._connection.execute("DELETE FROM private_rooms WHERE key = ?", (key,))
        self._connection.execute("DELETE FROM invited WHERE room = ?", (key,))
