"""`room_list`: the rooms that a member may know of."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nsmallest
from typing import Any

from chatd.chat.lists import MAX_LISTED
from chatd.chat.names import fold
from chatd.chat.rooms import M
from chatd.chat.roster import Roster
from chatd.storage.values import Head

__all__ = ["room_list"]


async def room_list(roster: Roster[M], member: M, after: str) -> Iterable[tuple[str, Any]]:
    """Return the rooms that a member may know of, by their folded names.

    These are the rooms with members, the rooms with kept messages, and the private rooms.

    Args:
        roster: The rooms and their store.
        member: The member.
        after: The folded name after which to begin.

    Returns:
        At least the first `MAX_LISTED` rooms, if there are so many.

    Raises:
        StoreError: The rooms with kept messages cannot be read.
    """
    kept = await _kept(roster, member, after)
    peopled = await roster.shared.peopled(member, after)
    private = {room.key: room.name for room in roster.access.known_to(member)}
    found: dict[str, dict[str, Any]] = {}
    for key in nsmallest(MAX_LISTED, (key for key in private if key > after)):
        found[key] = {"room": private[key], "members": 0, "topic": ""}
    found.update(kept)
    for key, room in peopled.items():
        found[key] = {"room": room.name, "members": room.names, "topic": room.topic}
    for key in private.keys() & found.keys():
        found[key]["private"] = True
    # Checked again for all of them: an invitation may have ended during the waits.
    return [(key, room) for key, room in found.items() if roster.access.may_know(member, key)]


async def _kept(roster: Roster[M], member: M, after: str) -> dict[str, dict[str, Any]]:
    """Return the rooms with kept messages; read on until enough of them are not hidden."""
    heads: list[Head] = []
    while True:
        page = await roster.store.rooms(after, limit=MAX_LISTED)
        heads += page
        keys = [fold(head.name) for head in heads]
        known = {
            key: {"room": head.name, "members": 0, "topic": head.topic}
            for key, head in zip(keys, heads, strict=True)
            if roster.access.may_know(member, key)
        }
        if len(page) < MAX_LISTED or len(known) >= MAX_LISTED:
            return known
        after = keys[-1]
