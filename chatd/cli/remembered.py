"""What the client remembers from the last use of a profile.

These are the rooms, the ignored names, and the last messages that were shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from chatd.chat.names import check_name, check_room, fold
from chatd.cli.marks import Mark
from chatd.config.ownfile import read_regular_file, replace_private_file, why
from chatd.errors import RequestError

__all__ = ["DirectShown", "IgnoredNames", "Remembered", "RememberedRooms", "RoomsShown"]

_MAX_FILE_BYTES = 1024 * 1024


class _Rooms(msgspec.Struct, frozen=True):
    rooms: tuple[str, ...]
    current: str | None = None


class IgnoredNames(msgspec.Struct, frozen=True):
    """The names that are ignored with a profile."""

    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.names:
            check_name(name)


class DirectShown(msgspec.Struct, frozen=True):
    """The ids of the last direct messages shown, by the folded names of the people."""

    last: dict[str, str] = {}


class RoomsShown(msgspec.Struct, frozen=True):
    """The last messages shown in rooms, by the folded names of the rooms."""

    last: dict[str, Mark] = {}


S = TypeVar("S", bound=msgspec.Struct)

_FILES: dict[type[msgspec.Struct], tuple[str, str]] = {
    _Rooms: ("rooms", "your rooms"),
    IgnoredNames: ("ignored", "the names that you ignore"),
    DirectShown: ("direct", "the direct messages shown"),
    RoomsShown: ("shown", "the messages shown in rooms"),
}
"""The word in the name of each object's file, and what the object tells."""


class Remembered(Generic[S]):
    """An object that a profile remembers, in a file that holds it as JSON and nothing else.

    If the file cannot be read or written, one line says so, once, and the client goes on.

    Args:
        directory: The person's state directory for chatd; it is made if necessary.
        title: The name of the profile.
        kind: The type of the object.
        complain: Shows an error, one line.
    """

    def __init__(
        self, directory: Path, title: str, kind: type[S], complain: Callable[[str], None]
    ) -> None:
        word, self._what = _FILES[kind]
        self._file = directory / f"{title}.{word}.json"
        self._kind = kind
        self._complain = complain
        self._known: S | None = None
        self._has_complained = False

    def load(self) -> S | None:
        """Return the object of the last time; None if it is not known."""
        try:
            data, _ = read_regular_file(self._file, _MAX_FILE_BYTES)
            self._known = msgspec.json.decode(data, type=self._kind)
        except FileNotFoundError:
            pass
        except OSError as error:
            self._fail(f"cannot read {self._what} from {self._file}: {why(error)}")
        except (ValueError, msgspec.MsgspecError, RequestError):
            self._fail(f"cannot read {self._what} from {self._file}: it is damaged")
        return self._known

    def save(self, state: S) -> None:
        """Remember an object; the file is replaced at once, or stays as it was."""
        if state == self._known:
            return
        self._known = state
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_private_file(self._file, msgspec.json.encode(state) + b"\n")
        except OSError as error:
            self._fail(f"cannot remember {self._what} in {self._file}: {why(error)}")

    def _fail(self, what: str) -> None:
        if not self._has_complained:
            self._has_complained = True
            self._complain(what)


class RememberedRooms:
    """The rooms of a profile.

    Args:
        directory: The person's state directory for chatd.
        title: The name of the profile.
        complain: Shows an error, one line.
    """

    def __init__(self, directory: Path, title: str, complain: Callable[[str], None]) -> None:
        self._file = Remembered(directory, title, _Rooms, complain)
        self._complain = complain
        self._rooms: tuple[str, ...] = ()
        self._current: str | None = None

    @property
    def current(self) -> str | None:
        """The room that typed lines went to; None if it is not known."""
        return self._current

    def load(self) -> tuple[str, ...] | None:
        """Return the rooms of the last time; None if they are not known."""
        state = self._file.load()
        if state is None:
            return None
        rooms = tuple(room for room in state.rooms if self._is_allowed(room))
        self._rooms, self._current = rooms, state.current
        return rooms

    def _is_allowed(self, room: str) -> bool:
        """Return whether a room can be entered; the rules may have changed since the last time."""
        try:
            check_room(room)
        except RequestError as error:
            self._complain(f"the room {room!a} of the last time is left out: {error.message}")
            return False
        return True

    def save(self, rooms: Sequence[str]) -> None:
        """Remember rooms."""
        self._rooms = tuple(rooms)
        self._save()

    def save_current(self, room: str) -> None:
        """Remember the room that typed lines go to."""
        self._current = room
        self._save()

    def _save(self) -> None:
        """Write the rooms; the current room is written only while the person is in it."""
        current = self._current
        is_there = current is not None and fold(current) in map(fold, self._rooms)
        self._file.save(_Rooms(self._rooms, current if is_there else None))
