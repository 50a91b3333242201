"""`Incoming`: what the server sends to a person at a terminal, taken in and shown.

It lies above `Reading` and `Introductions`, which show the messages. It knows neither the
connection nor where the person goes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatd.chat.names import fold
from chatd.cli.attention import is_for
from chatd.cli.display import TextDisplay
from chatd.cli.ignored import Ignored
from chatd.cli.introductions import Introductions
from chatd.cli.places import Place
from chatd.cli.reading import Reading
from chatd.cli.recent import place_of
from chatd.cli.roomstates import RoomStates
from chatd.cli.window import Window
from chatd.client.progress import Progress
from chatd.wire.messages import Message

__all__ = ["Incoming"]


class Incoming:
    """Shows received messages and events, unless they are from ignored people.

    It is the `chatd.cli.display.Display` of the client.

    Args:
        display: Shows events.
        states: The states of the rooms, which follow the events.
        reading: Shows and counts messages.
        introductions: Holds messages back until their room is introduced.
        ignored: The people whose messages are not shown.
        window: The terminal; it is redrawn after each event.
        progress: Returns the client's positions, which have the epochs.
        taken: Called with each event when it was shown; a welcome is left to it.
    """

    def __init__(
        self,
        display: TextDisplay,
        states: RoomStates,
        reading: Reading,
        introductions: Introductions,
        ignored: Ignored,
        window: Window,
        progress: Callable[[], Progress],
        taken: Callable[[dict[str, Any]], None],
    ) -> None:
        self._display = display
        self._states = states
        self._reading = reading
        self._introductions = introductions
        self._ignored = ignored
        self._window = window
        self._progress = progress
        self._taken = taken

    def message(self, message: Message, me: str) -> None:
        """Show a message to the person whose name is `me`, after the earlier ones of its room."""
        place = place_of(message, me)
        epoch = None if place is None else self._epoch_in(place)
        if message.room is not None and epoch is not None and message.seq is not None:
            self._reading.marks.shown(message.room, epoch, message.seq)
        if self._ignored.hides(message):
            return
        if place is not None:
            self._count(message, place, me)
        if not self._introductions.take(message):
            self._reading.show(message, me, epoch)

    def _epoch_in(self, place: Place) -> str | None:
        """Return the epoch of a new message's `seq`; None if it is unknown."""
        progress = self._progress()
        positions = progress.direct if place.is_person else progress.rooms
        position = positions.get(fold(place.name))
        return None if position is None else position.epoch

    def _count(self, message: Message, place: Place, me: str) -> None:
        """Count a message as unread, and note who wrote it."""
        sender = message.sender or ""
        if not place.is_person:
            self._states.of(place.name).add(sender)
        is_own = fold(sender) == fold(me)
        self._reading.count(place, is_for_you=is_for(message, me), messages=0 if is_own else 1)

    def event(self, event: dict[str, Any]) -> None:
        """Take in an event, and show it."""
        self._states.take(event)
        if event["event"] == "renamed":
            self._reading.renamed(event.get("old_name", ""), event.get("name", ""))
        self._window.redraw()
        if event["event"] != "welcome" and not self._ignored.hides(event):
            self._display.event(event)
        self._taken(event)
