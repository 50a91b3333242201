"""`Shared`: the part of the chat that all its daemons have in common.

The chat runs in one daemon, or in several over a backplane. Everything that differs between the two
goes through `Shared`: `chatd.chat.onedaemon` is the chat of one daemon, and
`chatd.chat.severaldaemons` that of several. No other module of the chat asks which of them it is.

With one daemon, every awaitable here is done at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from chatd.chat.interfaces import Person
from chatd.chat.moderation import Ban, Target
from chatd.chat.names import Claims
from chatd.chat.rooms import M, Room
from chatd.storage.privateroom import PrivateRoom
from chatd.storage.values import Entry, Outcome
from chatd.wire.messages import Message

__all__ = ["AccessChange", "Ending", "ListedRoom", "RoomNames", "Shared"]


class Ending(msgspec.Struct, frozen=True):
    """The end of sessions by an operator.

    Attributes:
        target: The sessions.
        code: The code with which they end.
        told: The reason that their clients get.
        by: The operator's name.
        reason: The operator's reason for the rooms, or empty.
    """

    target: Target
    code: str
    told: str
    by: str
    reason: str


class AccessChange(msgspec.Struct, frozen=True):
    """A change of a private room, which the store has kept.

    Attributes:
        key: The room's folded name.
        room: The room after the change; None if it is not private any more.
        by: The operator's name.
        invited: The name that was invited, or empty.
    """

    key: str
    room: PrivateRoom | None
    by: str
    invited: str = ""


class ListedRoom(NamedTuple):
    """A room with names in it.

    Attributes:
        name: The room's name.
        names: How many names are in it.
        topic: The topic, or empty.
    """

    name: str
    names: int
    topic: str


class RoomNames(NamedTuple):
    """The names in a room.

    Attributes:
        room: The room's name.
        size: How many names are in the room.
        names: The folded names and the names; perhaps only those after the requested name.
        away_of: Returns the away text of a folded name, or empty.
    """

    room: str
    size: int
    names: Iterable[tuple[str, str]]
    away_of: Callable[[str], str]


class Shared(Protocol[M]):
    """The part of the chat that all its daemons have in common; see the module.

    Every method that returns an Awaitable may raise `StoreError`.
    """

    @property
    def claims(self) -> Claims:
        """Which session has which name."""

    # Messages

    def append(self, entries: Sequence[Entry]) -> Awaitable[Sequence[Outcome]]:
        """Store messages; see `IMessageStore.append`.

        A direct message to a name with sessions on other daemons gets their spelling of the name.
        """

    # Rooms

    def entered(self, room: Room[M], member: M) -> None:
        """Announce that the first session of a name on this daemon is in a room."""

    def left(
        self,
        room: Room[M],
        names: Sequence[str],
        why: Mapping[str, str],
        *,
        sessions: int,
        is_silent: bool,
    ) -> None:
        """Announce that the last sessions of these names on this daemon left a room.

        Args:
            room: The room.
            names: The names.
            why: Further fields of the EVENTs.
            sessions: How many sessions of this daemon were in the room before.
            is_silent: Whether all sessions of this daemon leave, so that no session must be told.
        """

    def renamed(self, member: M, old_name: str) -> Awaitable[None]:
        """Tell the members of a member's rooms about its new name.

        It raises no `StoreError`.
        """

    def tell_room(self, key: str, event: Message) -> None:
        """Send an EVENT to all members of a room, by its folded name."""

    def set_topic(self, room: Room[M], event: Message) -> Awaitable[None]:
        """Set a room's topic, and send its members the EVENT `topic` that tells it."""

    def elsewhere(self, room: Room[M], member: M) -> Awaitable[int]:
        """Return how many names are in a room on other daemons, and not on this daemon.

        The name of a member that enters the room is not counted.
        """

    def inside(self, name: str, after: str) -> Awaitable[RoomNames | None]:
        """Return the names in a room; None if there are none.

        Args:
            name: The room's name in any spelling. Its folded name can be too long for a name.
            after: The folded name after which to begin.
        """

    def peopled(self, person: Person, after: str) -> Awaitable[dict[str, ListedRoom]]:
        """Return rooms with names in them that a person may know of, by their folded names.

        Args:
            person: The person.
            after: The folded name after which to begin.

        Returns:
            At least the first `MAX_LISTED` rooms, if there are so many.
        """

    # Away texts and direct messages

    def set_away(self, member: M, text: str) -> Awaitable[None]:
        """Give a session an away text; an empty text ends those of all sessions of its name."""

    def tell_if_unread(self, author: M, message: Message) -> None:
        """Tell the author of a direct message that the receiver is not connected, or away."""

    # Operators

    def end(self, ending: Ending) -> Awaitable[int]:
        """End sessions, and return their number."""

    def add_ban(self, ban: Ban) -> Awaitable[None]:
        """Put a ban in force."""

    def remove_ban(self, target: Target) -> Awaitable[bool]:
        """Lift the ban of a name or of a site, and return whether there was a ban."""

    def bans(self) -> Awaitable[list[Ban]]:
        """Return the bans in force."""

    # Private rooms

    def refresh_access(self) -> Awaitable[None]:
        """Read the private rooms again, before a change of them."""

    def accounts_inside(self, room: Room[M]) -> Awaitable[Collection[Person]]:
        """Return the members of a room; at least those with an account."""

    def access_changed(self, change: AccessChange) -> Awaitable[int]:
        """Put a change of a private room in force.

        Returns:
            How many sessions were removed from the room.
        """
