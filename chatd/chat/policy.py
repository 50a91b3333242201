"""`Policy`: the operator's settings for the chat itself."""

from __future__ import annotations

from dataclasses import dataclass

from chatd.arguments import check_names, check_number
from chatd.chat.names import check_name, check_room
from chatd.chat.rooms import LOBBY, MAX_ROOMS, PRESENCE_LIMIT
from chatd.errors import ConfigurationError, RequestError
from chatd.wire.bounds import MAX_FIRST_ROOMS

__all__ = ["Policy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The operator's settings for the chat itself.

    Attributes:
        rooms: The rooms of a session that names none itself, at most 20.
        operators: The names that may kick and ban; with accounts, only if they have logged in.
        presence_limit: The most sessions of a room that announces arrivals and departures. Over a
            backplane, it is the most names.
        max_rooms: The most rooms that a session may be in.
        link_patience_s: How long sessions go on while the link to the backplane is lost, in
            seconds; then they end, and their clients may connect to another daemon.

    Raises:
        ConfigurationError: A name is not valid, or a number is too small or too large.
    """

    rooms: tuple[str, ...] = (LOBBY,)
    operators: tuple[str, ...] = ()
    presence_limit: int = PRESENCE_LIMIT
    max_rooms: int = MAX_ROOMS
    link_patience_s: float = 30.0

    def __post_init__(self) -> None:
        check_names("rooms", self.rooms)
        check_names("operators", self.operators)
        try:
            for room in self.rooms:
                check_room(room)
            for name in self.operators:
                check_name(name)
        except RequestError as error:
            raise ConfigurationError(error.message) from error
        check_number("presence_limit", self.presence_limit)
        check_number("max_rooms", self.max_rooms)
        check_number("link_patience_s", self.link_patience_s)
        if self.link_patience_s < 0:
            raise ConfigurationError(
                f"the patience with a lost link is 0 seconds or more, not {self.link_patience_s:g}"
            )
        if self.presence_limit < 0:
            raise ConfigurationError(f"a presence limit is 0 or more, not {self.presence_limit}")
        if self.max_rooms < max(1, len(self.rooms)):
            raise ConfigurationError(
                f"a session begins in {len(self.rooms)} rooms and may be in {self.max_rooms} only"
            )
        if len(self.rooms) > MAX_FIRST_ROOMS:
            raise ConfigurationError(
                f"a session can begin in {MAX_FIRST_ROOMS} rooms at most, not {len(self.rooms)}"
            )
