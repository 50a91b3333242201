"""How much a connection, a channel or a reader keeps of what it was sent."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

__all__ = ["held_bytes"]

_KEEPERS = "chatd.wire.", "chatd.connection."


def held_bytes(keeper: object) -> int:
    """Return how many bytes a thing of the wire or of the session keeps, with all that it is of.

    Bytes that are kept in two places at once are counted once, and nothing is that was said or is
    to be sent: what a connection is given in frames by its owner is its owner's affair.
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
