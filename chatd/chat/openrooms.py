"""`OpenRooms`: opens rooms, and releases their streams when nobody needs them any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Generic

from chatd.chat.commits import Start
from chatd.chat.names import check_room, fold
from chatd.chat.rooms import M, Room
from chatd.errors import ErrorCode, RequestError
from chatd.storage.interface import IMessageStore
from chatd.storage.streamkeys import ROOM_PREFIX, room_stream

__all__ = ["OpenRooms"]


class OpenRooms(Generic[M]):
    """The open rooms: a room is open as long as it has members or is held.

    Args:
        store: Opens and releases the rooms' streams.
        start: Runs a coroutine; see `chatd.chat.commits.Start`.
        max_rooms: The most rooms of a session.

    Attributes:
        store: See above.
        rooms: The open rooms, by their folded names.
    """

    def __init__(self, store: IMessageStore, start: Start, *, max_rooms: int) -> None:
        self.store = store
        self.rooms: dict[str, Room[M]] = {}
        self._start = start
        self._max_rooms = max_rooms
        self._coming: Counter[str] = Counter()  # the calls that are opening a room, by its key

    async def open(self, name: str) -> Room[M]:
        """Return a room, and hold it until `close`; create the room if it does not exist.

        The caller asks `RoomAccess` whether a member may enter the room.

        Raises:
            RequestError: `bad-room`.
            StoreError: The room's stream cannot be opened.
        """
        name = check_room(name)
        key = fold(name)
        room = self.rooms.get(key)
        if room is None:
            return await self._open(key, name)
        room.holds += 1
        return room

    async def _open(self, key: str, name: str) -> Room[M]:
        self._coming[key] += 1  # else a member that leaves now would release this stream
        try:
            head = await self.store.open_stream(room_stream(key), name)
            room = self.rooms.get(key)  # another call may have opened it meanwhile
            if room is None:
                room = self.rooms[key] = Room(key, head)
            room.holds += 1
        finally:
            self._coming[key] -= 1
            if not self._coming[key]:
                del self._coming[key]
            if key in self.rooms:
                self._drop_if_unneeded(self.rooms[key])
        return room

    def room_at(self, stream: str) -> Room[M] | None:
        """Return the open room with a stream, or None."""
        return self.rooms.get(stream.removeprefix(ROOM_PREFIX))

    def close(self, room: Room[M]) -> None:
        """Give up a hold of a room; the room goes if it is empty and has no other hold."""
        room.holds -= 1
        if not room.members:
            self._drop_if_unneeded(room)

    async def open_all(self, names: Iterable[str]) -> list[Room[M]]:
        """Open rooms, each of them once; all of them, or none.

        Raises:
            RequestError: `bad-room`, or `too-many-rooms`.
            StoreError: The stream of a room cannot be opened.
        """
        rooms: dict[str, Room[M]] = {}
        try:
            for name in names:
                most = self._max_rooms
                if len(rooms) == most and fold(check_room(name)) not in rooms:
                    raise RequestError(
                        ErrorCode.TOO_MANY_ROOMS, f"a session is in {most} rooms at most"
                    )
                room = await self.open(name)
                if room.key in rooms:
                    room.holds -= 1
                rooms[room.key] = room
        except BaseException:
            self.close_all(rooms.values())
            raise
        return list(rooms.values())

    def close_all(self, rooms: Iterable[Room[M]]) -> None:
        """Give up a hold of each of these rooms."""
        for room in rooms:
            self.close(room)

    def _drop_if_unneeded(self, room: Room[M]) -> None:
        is_needed = room.is_needed or room.key in self._coming
        if not is_needed and self.rooms.get(room.key) is room:
            del self.rooms[room.key]
            self._start(self.store.release(room.stream))
