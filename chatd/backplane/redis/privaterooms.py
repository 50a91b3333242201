"""`PrivateRooms`: the part of the backplane that keeps the private rooms."""

from __future__ import annotations

import msgspec

from chatd.backplane.redis import keys
from chatd.backplane.redis.link import Link
from chatd.backplane.redis.script import load
from chatd.storage.privateroom import PrivateRoom

__all__ = ["PrivateRooms"]

_CHANGE, _ALL = load("changeprivate"), load("privaterooms")
_encode = msgspec.msgpack.Encoder().encode
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

    async def change(self, before: PrivateRoom | None, after: PrivateRoom | None) -> bool:
        """Change a room, unless it is not as the caller believes.

        Args:
            before: The room; None if it is not private.
            after: The room after the change; None if it is not private any more.

        Returns:
            Whether the room was changed.
        """
        packed = [b"" if room is None else _encode(room) for room in (before, after)]
        key = next(room.key for room in (before, after) if room is not None)
        work: int = await self._link.call(_CHANGE, self._keys, (key, *packed))
        self._link.saw_work(work)
        return bool(work)
