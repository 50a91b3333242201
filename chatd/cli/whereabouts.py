"""`Whereabouts`: the rooms of a person at a terminal, and the place that typed lines go to.

It lies above `Places` and `Reading`, and below `Talk`, which it does not know. It never learns what
was received or sent, apart from the rooms.
"""

from __future__ import annotations

from collections.abc import Callable

from chatd.chat.names import fold
from chatd.cli.console import ConsoleClient
from chatd.cli.display import TextDisplay
from chatd.cli.login import Login
from chatd.cli.notdone import NotDone
from chatd.cli.places import Place, Places
from chatd.cli.reading import Reading
from chatd.cli.window import Window
from chatd.client.progress import Progress
from chatd.client.results import Joined
from chatd.errors import RequestError, SessionEnded

__all__ = ["Whereabouts"]


class Whereabouts:
    """Moves a person between the places, and tells where typed lines go.

    Args:
        places: The rooms and conversations; it gets the rooms from `rooms`.
        reading: Shows the last messages of a place that the person comes to.
        progress: The rooms that the client is in.
        login: The rooms to join, and the room of the last time.
        display: Shows notes.
        window: The terminal. It is redrawn after each move, and a line that the person is typing
            is not sent if it would go to another place than before.
        client: Returns the client; raises `NotDone` if there is no connection.
        me: Returns the person's name.
    """

    def __init__(
        self,
        places: Places,
        reading: Reading,
        progress: Progress,
        login: Login,
        display: TextDisplay,
        window: Window,
        client: Callable[[], ConsoleClient],
        me: Callable[[], str],
    ) -> None:
        self._places = places
        self._reading = reading
        self._progress = progress
        self._login = login
        self._display = display
        self._window = window
        self._client = client
        self._me = me
        self._first: str | None = None
        self._joining: list[str] = []

    @property
    def rooms(self) -> list[str]:
        """The rooms that the person is in or is joining."""
        inside = self._progress.rooms
        rooms = [position.name for position in inside.values()]
        return rooms + [room for room in self._joining if fold(room) not in inside]

    @property
    def needs_room_names(self) -> bool:
        """Whether shown lines must name their room."""
        return len(self.rooms) > 1

    # Where typed lines go

    @property
    def current(self) -> str | None:
        """The room that typed lines go to; None if they go to a person, or nowhere."""
        place = self._places.current
        return None if place is None or place.is_person else place.name

    @property
    def companion(self) -> str | None:
        """The person that typed lines go to; None if they go to a room, or nowhere."""
        place = self._places.current
        return place.name if place is not None and place.is_person else None

    @property
    def room_to_tell(self) -> str | None:
        """The room that the prompt shows; None if it is the first and only room."""
        if self.companion is not None:
            return f"@{self.companion}"
        current = self.current
        if current is None:
            return "(no room)"
        is_first = self._first is not None and fold(current) == fold(self._first)
        return None if is_first and not self.needs_room_names else current

    def need_room(self) -> str:
        """Return the current room.

        Raises:
            NotDone: Typed lines go to no room.
        """
        if self.companion is not None:
            raise NotDone(f"your lines go to @{self.companion}; /goto PLACE goes to a room")
        current = self.current
        if current is None:
            raise NotDone("you are in no room; enter one with /join ROOM")
        return current

    # Moves of the person

    def go_to(self, place: Place) -> None:
        """Let typed lines go to a place that exists."""
        self._display.note(f"your lines go to {place.title} now")
        self._arrive(place)

    def move_on(self) -> None:
        """Let the person come to the place where typed lines go after leaving the current one."""
        current = self._places.current
        if current is None:
            self._places.settle()
        else:
            self._arrive(current)

    def _arrive(self, place: Place) -> None:
        """Let the person come to a place, and show its last messages if they are out of sight."""
        self._reading.arrive(place, self._me())
        self._places.settle()
        self._window.redraw()

    async def enter(self, room: str) -> Joined | None:
        """Make a room the current room, and join it if necessary.

        Returns:
            The joined room; None if the person was there already.

        Raises:
            NotDone: There is no connection.
            RequestError: The server refuses the join.
            SessionEnded: The session ended first.
        """
        inside = self._progress.rooms.get(fold(room))
        if inside is not None:
            self.go_to(Place(inside.name))
            return None
        client = self._client()
        # The next line goes to that room; the server handles the join before it.
        self._joining.append(room)
        before = self._places.current
        self._places.enter(Place(room))
        self._places.settle()
        try:
            return await client.join(room)
        except (RequestError, SessionEnded):
            if before is not None and self._places.is_current(Place(room)):
                self._places.enter(before)
                self._places.settle()
                self._window.hold(f"you are not in {room}")
            raise
        finally:
            self._joining.remove(room)

    # What the sessions do

    def begin(self, room: str | None) -> None:
        """Begin in the room of the last time, as far as the first welcome tells.

        Args:
            room: The first room that the welcome names, or None.
        """
        self._return()
        self._first = room or next(iter(self.rooms), None)

    def go_back(self) -> None:
        """Let typed lines go to the room of the last time, now that the person is in all rooms."""
        place, current = Place(self._login.current or ""), self._places.current
        if self._return():
            self._window.redraw()
        elif current is not None and fold(place.name) in map(fold, self._login.rooms):
            self.go_to(current)
            self._window.hold(f"you are not in {place.name}")
        self._places.settle()

    def _return(self) -> bool:
        """Enter the room of the last time if the person is there; return whether that is so."""
        place = Place(self._login.current or "")
        is_there = any(place.key == each.key for each in self._places.all)
        if is_there:
            self._places.enter(place)
        return is_there

    def follow(self, *, is_removed: bool = False) -> None:
        """Tell where typed lines go now, if the person is no longer in the place before.

        Args:
            is_removed: Whether the person was removed from it.
        """
        before, current = self._places.settle(), self._places.current
        if before is None:
            return
        if current is not None:
            self.go_to(current)
        were = "were removed from" if is_removed else "are no longer in"
        self._window.hold(f"you {were} {before.name}")
