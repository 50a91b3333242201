"""The arguments of typed commands: each mistake is one line for the person."""

from __future__ import annotations

from collections.abc import Callable

from chatd.chat.names import check_room
from chatd.cli.notdone import NotDone
from chatd.cli.talk import Talk
from chatd.errors import RequestError

__all__ = ["checked", "room_or_current"]


def checked(check: Callable[[str], str], name: str) -> str:
    """Return a typed name, checked by one of the functions of `chatd.chat.names`.

    Raises:
        NotDone: The name is not allowed.
    """
    try:
        return check(name)
    except RequestError as error:
        raise NotDone(error.message) from error


def room_or_current(talk: Talk, room: str | None) -> str:
    """Return a typed room, or the current room if none is typed.

    Raises:
        NotDone: The room's name is not allowed, or typed lines go to no room.
    """
    return talk.whereabouts.need_room() if room is None else checked(check_room, room)
