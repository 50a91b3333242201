"""`Bans`: the bans of all nodes."""

from __future__ import annotations

import math
import struct

from chatd.backplane.interface import KeptBan
from chatd.backplane.redis import keys
from chatd.backplane.redis.link import Link
from chatd.backplane.redis.script import load

__all__ = ["Bans"]

_BANS, _KEEP, _DROP = map(load, ("bans", "keepban", "dropban"))
_END = struct.Struct(">d")


class Bans:
    """Keeps the bans; the script that claims a name checks them.

    Args:
        link: The link.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._keys = [keys.key("bans")]

    async def all(self) -> list[KeptBan]:
        """See `IBackplane.bans`."""
        found = await self._link.call(_BANS, self._keys)
        return [_read(key, kept) for key, kept in zip(found[::2], found[1::2], strict=True)]

    async def keep(self, ban: KeptBan) -> None:
        """See `IBackplane.keep_ban`."""
        end = math.inf if ban.until is None else ban.until
        args = ban.key, _END.pack(end) + ban.value
        self._link.saw_work(await self._link.call(_KEEP, self._keys, args))

    async def drop(self, key: str) -> bool:
        """See `IBackplane.drop_ban`."""
        was_in_force, work = await self._link.call(_DROP, self._keys, (key,))
        self._link.saw_work(work)
        return bool(was_in_force)


def _read(key: bytes, kept: bytes) -> KeptBan:
    (end,) = _END.unpack_from(kept)
    return KeptBan(key.decode(), None if end == math.inf else end, kept[_END.size :])
