"""The rooms and conversations of a person at a terminal, which have numbers and unread messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from chatd.chat.names import fold

__all__ = ["MAX_CONVERSATIONS", "Overview", "Place", "Places", "Unread"]

MAX_CONVERSATIONS = 100
"""Limit on the open conversations; the oldest is closed first."""

_Key = tuple[bool, str]


class Place(NamedTuple):
    """A room, or a conversation: the direct messages with a person.

    Attributes:
        room: The room's name, or None.
        other: The person's name, or None.
    """

    room: str | None
    other: str | None = None

    @property
    def key(self) -> _Key:
        """The same value for all spellings of the place."""
        return self.is_person, fold(self.name)

    @property
    def is_person(self) -> bool:
        """Whether it is a conversation."""
        return self.room is None

    @property
    def name(self) -> str:
        """The name of the room or of the person."""
        return self.room or self.other or ""

    @property
    def title(self) -> str:
        """The name as shown: that of a person has an at sign."""
        return f"@{self.name}" if self.is_person else self.name

    def __str__(self) -> str:
        return f"with {self.other}" if self.is_person else f"in {self.room}"


class Unread(NamedTuple):
    """The unread messages of a place.

    Attributes:
        number: The place's number.
        place: The place.
        messages: The number of messages.
        is_for_you: Whether any of them is for the person.
    """

    number: int
    place: Place
    messages: int
    is_for_you: bool


class Overview(NamedTuple):
    """What there is to tell of all places.

    Attributes:
        current: The place that typed lines go to, or None.
        number: Its number.
        unread: The places with unread messages.
    """

    current: Place | None
    number: int
    unread: list[Unread]


class Places:
    """The rooms and conversations of a person, and the place that typed lines go to.

    Args:
        rooms: Returns the rooms that the person is in.
        entered: Called with each place that becomes the current one.
    """

    def __init__(
        self,
        rooms: Callable[[], Iterable[str]],
        entered: Callable[[Place], object] = lambda _: None,
    ) -> None:
        self._rooms = rooms
        self._entered = entered
        self._conversations: dict[_Key, Place] = {}
        self._order: list[_Key] = []
        self._visited: list[_Key] = []
        self._unread: dict[_Key, tuple[int, bool]] = {}
        self._settled: Place | None = None

    @property
    def all(self) -> list[Place]:
        """The places, in the order in which the person came to them."""
        there = {place.key: place for place in map(Place, self._rooms())} | self._conversations
        self._order = [key for key in self._order if key in there]
        self._order += [key for key in there if key not in self._order]
        self._visited = [key for key in self._visited if key in there]
        return [there[key] for key in self._order]

    @property
    def current(self) -> Place | None:
        """The place that typed lines go to: the last visited that is there, or the first room."""
        return self._last_visited(self.all)

    @property
    def last_room(self) -> Place | None:
        """The room that the person visited last, or the first room; None without a room."""
        return self._last_visited([place for place in self.all if not place.is_person])

    def _last_visited(self, places: Sequence[Place]) -> Place | None:
        there = {place.key: place for place in places}
        for key in reversed(self._visited):
            if key in there:
                return there[key]
        # A line goes to a person only if its writer chose that person.
        return next((place for place in places if not place.is_person), None)

    def is_current(self, place: Place) -> bool:
        """Return whether typed lines go to a place."""
        current = self.current
        return current is not None and current.key == place.key

    def settle(self) -> Place | None:
        """Note that the person knows where typed lines go now.

        Returns:
            The place where they went before, if that is another.
        """
        before, self._settled = self._settled, self.current
        return None if before is None or self.is_current(before) else before

    def enter(self, place: Place) -> None:
        """Make a place the current one."""
        self._visited = [key for key in self._visited if key != place.key] + [place.key]
        self.read(place)
        self._entered(place)

    def read(self, place: Place) -> None:
        """Count the messages of a place as read."""
        self._unread.pop(place.key, None)

    def open(self, name: str) -> Place:
        """Return the conversation with a person, and open it if necessary."""
        place = self._conversations.setdefault(Place(None, name).key, Place(None, name))
        if len(self._conversations) > MAX_CONVERSATIONS:
            del self._conversations[next(iter(self._conversations))]
        return place

    def close(self, place: Place) -> None:
        """Close a conversation."""
        self._conversations.pop(place.key, None)
        self._unread.pop(place.key, None)

    def renamed(self, old_name: str, name: str) -> None:
        """Note that a person has another name."""
        old, new = Place(None, old_name), Place(None, name)
        if old.key not in self._conversations or (
            old.key != new.key and new.key in self._conversations
        ):
            return
        self._conversations = {
            new.key if key == old.key else key: new if key == old.key else place
            for key, place in self._conversations.items()
        }
        self._order = [new.key if key == old.key else key for key in self._order]
        self._visited = [new.key if key == old.key else key for key in self._visited]
        if self._settled is not None and self._settled.key == old.key:
            self._settled = new
        if old.key in self._unread:
            self._unread[new.key] = self._unread.pop(old.key)

    def find(self, text: str) -> Place | None:
        """Return the place with a title, a name or a number; a number comes last."""
        places = self.all
        for names in ([place.title for place in places], [place.name for place in places]):
            for place, name in zip(places, names, strict=True):
                if fold(name) == fold(text):
                    return place
        return self.at(int(text)) if text.isascii() and text.isdecimal() else None

    def beginning(self, text: str) -> list[Place]:
        """Return the places whose title or name begins with a text."""
        start = fold(text)
        return [
            place
            for place in self.all
            if fold(place.title).startswith(start) or fold(place.name).startswith(start)
        ]

    def at(self, number: int) -> Place | None:
        """Return the place with a number; the first is 1."""
        places = self.all
        return places[number - 1] if 0 < number <= len(places) else None

    def heard(self, place: Place, *, is_for_you: bool, messages: int = 1) -> None:
        """Count messages of a place as unread, unless typed lines go there."""
        if not self.is_current(place):
            count, was_for_you = self._unread.get(place.key, (0, False))
            self._unread[place.key] = count + messages, was_for_you or is_for_you

    @property
    def unread(self) -> list[Unread]:
        """The places with unread messages."""
        return self._unread_in(self.all)

    def _unread_in(self, places: Sequence[Place]) -> list[Unread]:
        there = {place.key for place in places}
        self._unread = {key: unread for key, unread in self._unread.items() if key in there}
        return [
            Unread(number, place, *self._unread[place.key])
            for number, place in enumerate(places, 1)
            if place.key in self._unread
        ]

    @property
    def overview(self) -> Overview:
        """The current place with its number, and the places with unread messages."""
        places = self.all
        current = self._last_visited(places)
        number = 0 if current is None else places.index(current) + 1
        return Overview(current, number, self._unread_in(places))

    @property
    def next_unread(self) -> Place | None:
        """The place to read next: a place with a message for the person, or the first."""
        unread = sorted(self.unread, key=lambda each: not each.is_for_you)
        return unread[0].place if unread else None
