"""The client's knowledge of its rooms: topics, numbers of members, and names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chatd.chat.names import check_name, fold
from chatd.errors import RequestError

__all__ = ["MAX_PEOPLE", "RoomState", "RoomStates"]

MAX_PEOPLE = 2_000
"""Limit on the known names of a room."""


class RoomState:
    """The state of a room.

    Args:
        name: The room's name.

    Attributes:
        name: The room's name.
        topic: The topic, or empty.
        members: The number of members; None while it is unknown.
        is_private: Whether only operators and invited people may enter it.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.topic = ""
        self.is_private = False
        self.members: int | None = None
        self._people: dict[str, str] = {}

    @property
    def names(self) -> list[str]:
        """The known names in the room, the latest speaker first."""
        return list(reversed(self._people.values()))

    def add(self, name: str) -> None:
        """Note a name that is in the room; it counts as the latest speaker.

        A name that no server should give out is not noted: it could be a text for the prompt.
        """
        try:
            name = check_name(name)
        except RequestError:
            return
        self._people.pop(fold(name), None)
        if len(self._people) >= MAX_PEOPLE:
            del self._people[next(iter(self._people))]
        self._people[fold(name)] = name

    def list(self, names: Iterable[str]) -> None:
        """Note the names that are in the room; those that spoke stay the latest speakers."""
        spoke, self._people = self._people, {}
        for name in names:
            if fold(name) not in spoke:
                self.add(name)
        for name in spoke.values():
            self.add(name)

    def remove(self, name: str) -> None:
        """Note that a name has left the room."""
        self._people.pop(fold(name), None)

    def rename(self, old_name: str, name: str) -> None:
        """Note that a member has another name."""
        old = fold(old_name)
        if old in self._people:
            people = [name if key == old else each for key, each in self._people.items()]
            self._people = {}
            for each in people:
                self.add(each)


class RoomStates:
    """The states of the rooms of a client."""

    def __init__(self) -> None:
        self._states: dict[str, RoomState] = {}

    def of(self, room: str) -> RoomState:
        """Return the state of a room; an empty state if the client has not joined it."""
        return self._states.get(fold(room)) or RoomState()

    def joined(self, room: str) -> RoomState:
        """Forget the earlier state of a room, and return a new one."""
        state = self._states[fold(room)] = RoomState(room)
        return state

    @property
    def rooms(self) -> list[str]:
        """The rooms that the client has joined, also those that it has left."""
        return [state.name for state in self._states.values()]

    def take(self, event: Mapping[str, Any]) -> None:
        """Update a room's state by an event."""
        what = event.get("event")
        if what == "renamed":
            for state in self._states.values():
                state.rename(event.get("old_name", ""), event.get("name", ""))
            return
        if what not in ("joined", "left", "topic", "room-changed"):
            return
        state = self.of(event.get("room", ""))
        if what == "topic":
            state.topic = event.get("topic", "")
            return
        if what == "room-changed":
            state.is_private = event.get("private") is True
            return
        name = event.get("name", "")
        if what == "joined":
            state.add(name)
        else:
            state.remove(name)
        if state.members is not None:
            state.members = max(0, state.members + (1 if what == "joined" else -1))
