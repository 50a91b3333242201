"""The terminal client's commands for private rooms."""

from __future__ import annotations

from collections.abc import Callable

from chatd.chat.names import check_name, check_room
from chatd.cli.notdone import NotDone
from chatd.cli.talk import Talk
from chatd.errors import RequestError

__all__ = ["invite", "invited", "private", "public", "uninvite"]


async def private(talk: Talk, room: str | None = None) -> None:
    """Make a room private."""
    room = _room(talk, room)
    made = await talk.client.make_private(room)
    talk.display.note(
        f"{room} is private now; invited names: {made.invited}, removed sessions: {made.removed}"
    )


async def public(talk: Talk, room: str | None = None) -> None:
    """Let everybody enter a private room."""
    room = _room(talk, room)
    await talk.client.make_public(room)
    talk.display.note(f"everybody may enter {room} now")


async def invite(talk: Talk, name: str, room: str | None = None) -> None:
    """Invite a name to a private room."""
    name, room = _checked(check_name, name), _room(talk, room)
    await talk.client.invite(room, name)
    talk.display.note(f"{name} is invited to {room}")


async def uninvite(talk: Talk, name: str, room: str | None = None) -> None:
    """Take an invitation back."""
    name, room = _checked(check_name, name), _room(talk, room)
    removed = await talk.client.uninvite(room, name)
    talk.display.note(f"{name} is no longer invited to {room}; removed sessions: {removed}")


async def invited(talk: Talk, room: str | None = None) -> None:
    """List the invited names of a private room."""
    room = _room(talk, room)
    names = await talk.client.invited(room)
    if names:
        talk.display.note(f"{len(names)} invited to {room}: {', '.join(names)}")
    else:
        talk.display.note(f"nobody is invited to {room}")


def _room(talk: Talk, room: str | None) -> str:
    return talk.need_room() if room is None else _checked(check_room, room)


def _checked(check: Callable[[str], str], name: str) -> str:
    try:
        return check(name)
    except RequestError as error:
        raise NotDone(error.message) from error
