"""`Movements`: puts together what one person does in several rooms at the same time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

__all__ = ["MAX_NAMED", "Movements"]

MAX_NAMED = 3
"""Limit on the rooms that a line names, if there are more."""
_KINDS = ("joined", "left")


class Show(Protocol):
    """Shows an event."""

    def __call__(self, event: Mapping[str, Any], *, is_several: bool) -> None:
        """Show an event; say whether its room is several."""


class Movements:
    """Holds events of people who join or leave rooms until others come, or a moment is over.

    A kick, a ban or a new connection of a person makes an event for each room that the person
    shares with this client. They come at about the same time, and are one event here.

    Args:
        show: Shows an event, whose field `room` may name several.
        later: Calls a function a moment later.
    """

    def __init__(
        self,
        show: Show,
        later: Callable[[Callable[[], None]], object],
    ) -> None:
        self._show = show
        self._later = later
        self._event: dict[str, Any] = {}
        self._rooms: list[str] = []

    def take(self, event: Mapping[str, Any]) -> bool:
        """Hold an event back, if it is such an event; return whether it is held."""
        room = event.get("room")
        if event.get("event") not in _KINDS or not isinstance(room, str) or not room:
            return False
        person = {key: value for key, value in event.items() if key != "room"}
        if person == self._event:
            self._rooms.append(room)
        else:
            self.flush()
            self._event, self._rooms = person, [room]
            self._later(self.flush)
        return True

    def flush(self) -> None:
        """Show what is held."""
        event, rooms = self._event, self._rooms
        self._event, self._rooms = {}, []
        if rooms:
            self._show({**event, "room": _words_for(rooms)}, is_several=len(rooms) > 1)


def _words_for(rooms: list[str]) -> str:
    """Return several rooms in words."""
    if len(rooms) > MAX_NAMED + 1:
        rooms = [*rooms[:MAX_NAMED], f"{len(rooms) - MAX_NAMED} more"]
    *first, last = rooms
    return f"{', '.join(first)} and {last}" if first else last
