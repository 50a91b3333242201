"""The number of received bytes that a connection, a channel or a reader keeps."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

__all__ = ["held_bytes"]

_KEEPERS = "chatd.wire.", "chatd.connection."


def held_bytes(keeper: object) -> int:
    """Return the number of bytes that an object of the wire or of the session keeps.

    The bytes of its parts count; bytes in two places count once. Sent bytes and bytes to send do
    not count: the connection's owner is responsible for the frames that it queues.
    """
    kept = {id(data): len(data) for data in _kept(keeper, {id(keeper)})}
    return sum(kept.values())


def _kept(keeper: object, seen: set[int]) -> Iterator[bytes | bytearray]:
    keeper_type: Any = type(keeper)
    for name in _slots(keeper_type):
        part = getattr(keeper, name, None)
        if isinstance(part, bytes | bytearray):
            yield part
        elif id(part) not in seen and type(part).__module__.startswith(_KEEPERS):
            seen.add(id(part))
            yield from _kept(part, seen)


@cache
def _slots(keeper: Any) -> frozenset[str]:
    slots = frozenset(slot for each in keeper.__mro__ for slot in getattr(each, "__slots__", ()))
    return slots - {"_outbox", "_to_send"}
