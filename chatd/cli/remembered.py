"""`RememberedRooms`: the rooms that a person was in when they last used a profile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from chatd.chat.names import check_room
from chatd.config.ownfile import read_regular_file, replace_private_file, why
from chatd.errors import RequestError

__all__ = ["RememberedRooms"]

_MAX_FILE_BYTES = 1024 * 1024


class _State(msgspec.Struct):
    rooms: list[str]


class RememberedRooms:
    """The rooms of a profile, in a file that holds nothing else.

    A file that cannot be read or written is no reason not to talk: one line tells of it, once.

    Args:
        directory: The person's state directory for chatd; made if necessary.
        title: The name of the profile.
        complain: Shows an error, one line.
    """

    def __init__(self, directory: Path, title: str, complain: Callable[[str], None]) -> None:
        self._file = directory / f"{title}.rooms.json"
        self._complain = complain
        self._known: tuple[str, ...] | None = None
        self._has_complained = False

    def load(self) -> tuple[str, ...] | None:
        """Return the rooms of the last time; None if they are not known."""
        try:
            data, _ = read_regular_file(self._file, _MAX_FILE_BYTES)
            rooms = msgspec.json.decode(data, type=_State).rooms
            self._known = tuple(map(check_room, rooms))
        except FileNotFoundError:
            pass
        except OSError as error:
            self._fail(f"cannot read the rooms of the last time, {self._file}: {why(error)}")
        except (ValueError, msgspec.MsgspecError, RequestError):
            self._fail(f"cannot read the rooms of the last time, {self._file}: it is damaged")
        return self._known

    def save(self, rooms: Sequence[str]) -> None:
        """Remember rooms; the file is replaced at once, or stays as it was."""
        if tuple(rooms) == self._known:
            return
        self._known = tuple(rooms)
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_private_file(self._file, msgspec.json.encode(_State(list(rooms))) + b"\n")
        except OSError as error:
            self._fail(f"cannot remember your rooms in {self._file}: {why(error)}")

    def _fail(self, what: str) -> None:
        if not self._has_complained:
            self._has_complained = True
            self._complain(what)
