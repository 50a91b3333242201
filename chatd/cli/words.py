"""The words that complete a line, from the client's knowledge."""

from __future__ import annotations

from collections.abc import Mapping

from chatd.chat.names import fold
from chatd.cli.aliases import MOST_USED
from chatd.cli.completion import Words
from chatd.cli.known import Known
from chatd.cli.places import Places
from chatd.cli.roomstates import RoomStates

__all__ = ["words_for"]


def words_for(
    places: Places, states: RoomStates, known: Known, me: str, commands: Mapping[str, str]
) -> Words:
    """Return the words that complete a line; the people of the current place come first.

    Args:
        places: The rooms and conversations.
        states: The states of the rooms.
        known: The rooms and names in the server's answers.
        me: The person's own name, which completes nothing.
        commands: The arguments of each command, by name; those that people type most come first.
    """
    there = places.all
    current = places.current
    nearest = sorted(there, key=lambda place: place != current)
    names: dict[str, str] = {}
    for place in nearest:
        found = [place.name] if place.is_person else states.of(place.name).names
        for name in found:
            names.setdefault(fold(name), name)
    names.pop(fold(me), None)
    used = {name: commands[name] for name in MOST_USED if name in commands}
    rooms = {fold(place.name): place.name for place in there if not place.is_person}
    for room in (*known.rooms, *states.rooms):
        rooms.setdefault(fold(room), room)
    invited = known.invited(None if current is None else current.room)
    return Words(
        commands={**used, **commands},
        rooms=list(rooms.values()),
        own={"unban": known.banned, "uninvite": invited},
        places=[place.title for place in there],
        names=list(names.values()),
        writers=[place.name for place in reversed(there) if place.is_person],
    )
