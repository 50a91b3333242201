"""Learns the names in a room."""

from __future__ import annotations

from contextlib import suppress

from chatd.cli.console import ConsoleClient
from chatd.cli.roomstates import RoomState
from chatd.errors import RequestError, SessionEnded

__all__ = ["learn_people"]


async def learn_people(client: ConsoleClient, room: str, state: RoomState) -> None:
    """Ask for the number of members of a room, for their names, and whether it is private.

    The server answers a very long list in parts; the first part is enough to complete names.

    Args:
        client: The client.
        room: The room.
        state: The state that gets them; it does not change if the server refuses.
    """
    with suppress(RequestError, SessionEnded):
        result = await client.command("who", room=room)
        members, names = result.get("members"), result.get("names")
        if type(members) is int and isinstance(names, list):
            state.members = members
            state.is_private = result.get("private") is True
            state.list(name for name in names if isinstance(name, str))
