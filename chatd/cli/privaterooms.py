"""The terminal client's commands for private rooms."""

from __future__ import annotations

from chatd.chat.names import check_name, fold
from chatd.cli.arguments import checked, room_or_current
from chatd.cli.notdone import NotDone
from chatd.cli.talk import Talk

__all__ = ["invite", "invited", "private", "public", "uninvite"]


async def private(talk: Talk, room: str | None = None) -> None:
    """Make a room private; the room in which everybody begins must be named.

    Raises:
        NotDone: The room is not named or not allowed, or there is no connection.
    """
    is_named = room is not None
    room = room_or_current(talk, room)
    if not is_named and fold(room) in talk.common_rooms:
        raise NotDone(f"everybody begins in {room}; to make it private, type /private {room}")
    made = await talk.client.make_private(room)
    talk.display.note(
        f"{room} is private now; invited names: {made.invited}, removed sessions: {made.removed}"
    )


async def public(talk: Talk, room: str | None = None) -> None:
    """Let everybody enter a private room."""
    room = room_or_current(talk, room)
    await talk.client.make_public(room)
    talk.display.note(f"everybody may enter {room} and read its earlier messages now")


async def invite(talk: Talk, name: str, room: str | None = None) -> None:
    """Invite a name to a private room."""
    name, room = checked(check_name, name), room_or_current(talk, room)
    has_account = await talk.client.invite(room, name)
    talk.known.invite(room, name)
    unknown = ", but there is no account of that name" if has_account is False else ""
    talk.display.note(f"{name} is invited to {room}{unknown}")


async def uninvite(talk: Talk, name: str, room: str | None = None) -> None:
    """Take an invitation back."""
    name, room = checked(check_name, name), room_or_current(talk, room)
    removed = await talk.client.uninvite(room, name)
    talk.known.uninvite(room, name)
    talk.display.note(f"{name} is no longer invited to {room}; removed sessions: {removed}")


async def invited(talk: Talk, room: str | None = None) -> None:
    """List the invited names of a private room."""
    room = room_or_current(talk, room)
    names = await talk.client.invited(room)
    talk.known.list_invited(room, names)
    if names:
        talk.display.note(f"{len(names)} invited to {room}: {', '.join(names)}")
    else:
        talk.display.note(f"nobody is invited to {room}")
