"""`PrivateRooms`: the part of the backplane that keeps the private rooms."""

from __future__ import annotations

import msgspec

from chatd.backplane.redis import keys
from chatd.backplane.redis.link import Link
from chatd.backplane.redis.script import load
from chatd.storage.privateroom import PrivateRoom

__all__ = ["PrivateRooms"]

_KEEP, _DROP, _ALL = load("keepprivate"), load("dropprivate"), load("privaterooms")
_decode = msgspec.msgpack.Decoder(PrivateRoom).decode


class PrivateRooms:
    """Keeps the private rooms.

    Args:
        link: The link.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._keys = [keys.key("private")]

    async def all(self) -> list[PrivateRoom]:
        """Return all private rooms, in the order of their folded names."""
        found = await self._link.call(_ALL, self._keys)
        return sorted(map(_decode, found), key=lambda room: room.key)

    async def keep(self, room: PrivateRoom) -> None:
        """Keep a room, in place of the room with the same key."""
        await self._link.call(_KEEP, self._keys, (room.key, msgspec.msgpack.encode(room)))

    async def drop(self, key: str) -> None:
        """Forget a room."""
        await self._link.call(_DROP, self._keys, (key,))
