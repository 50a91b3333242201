"""What the answers to typed commands have told: rooms, banned and invited names."""

from __future__ import annotations

from collections.abc import Iterable

from chatd.chat.names import fold

__all__ = ["Known"]


class Known:
    """The rooms and names in the last answers of the server; they complete typed lines.

    Attributes:
        rooms: The rooms in the last list.
        banned: The banned names and addresses.
    """

    def __init__(self) -> None:
        self.rooms: list[str] = []
        self.banned: list[str] = []
        self._invited: dict[str, list[str]] = {}

    def ban(self, target: str) -> None:
        """Note that a name or an address is banned."""
        self.banned = [target, *_without(self.banned, target)]

    def unban(self, target: str) -> None:
        """Note that a name or an address is no longer banned."""
        self.banned = _without(self.banned, target)

    def invited(self, room: str | None) -> list[str]:
        """Return the known names that are invited to a room."""
        return self._invited.get(fold(room or ""), [])

    def list_invited(self, room: str, names: Iterable[str]) -> None:
        """Note all names that are invited to a room."""
        self._invited[fold(room)] = list(names)

    def invite(self, room: str, name: str) -> None:
        """Note that a name is invited to a room."""
        self.list_invited(room, [name, *_without(self.invited(room), name)])

    def uninvite(self, room: str, name: str) -> None:
        """Note that a name is no longer invited to a room."""
        self.list_invited(room, _without(self.invited(room), name))


def _without(names: Iterable[str], name: str) -> list[str]:
    return [each for each in names if fold(each) != fold(name)]
