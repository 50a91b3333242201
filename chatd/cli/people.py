"""Learns the names in a room, and whether the own name is away."""

from __future__ import annotations

from contextlib import suppress

from chatd.chat.names import fold
from chatd.cli.console import ConsoleClient
from chatd.cli.roomstates import RoomState
from chatd.errors import RequestError, SessionEnded

__all__ = ["learn_people"]


async def learn_people(client: ConsoleClient, room: str, state: RoomState) -> str | None:
    """Ask for the number of members of a room, for their names, and whether it is private.

    The server answers a very long list in parts; the first part is enough to complete names.

    Args:
        client: The client.
        room: The room.
        state: The state that gets them; it does not change if the server refuses.

    Returns:
        The away text of the client's own name, or empty; None if the answer does not tell it.
    """
    with suppress(RequestError, SessionEnded):
        result = await client.command("who", room=room)
        members, names = result.get("members"), result.get("names")
        if type(members) is int and isinstance(names, list):
            state.members = members
            state.is_private = result.get("private") is True
            known = [name for name in names if isinstance(name, str)]
            state.list(known)
            texts = result.get("away", {})
            for name in known:
                if fold(name) == fold(client.name) and isinstance(texts, dict):
                    return str(texts.get(name, ""))
    return None
