"""`Overflow`: the rooms and people whose messages did not fit into the inbox.

The server keeps these messages. The client keeps only their places, and fetches the messages page
by page as the program catches up, so a program that falls behind costs no memory and loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from chatd.chat.names import fold
from chatd.wire.messages import Message

__all__ = ["MAX_STREAMS", "Behind", "Overflow"]

MAX_STREAMS = 10_000
"""Limit on the rooms and people whose messages wait at the server."""

_Key = tuple[bool, str]


class Behind:
    """The messages of a room, or of another person, that wait at the server.

    Attributes:
        key: The same value for all spellings of the room or of the other person.
        room: The name of the room; None for direct messages.
        other: The name of the other person; None for a room.
        after: The `seq` of the last message that the inbox has got.
        epoch: The epoch of `after`; None while it is unknown.
        id: The id of the message at `after`; None while it is unknown.
        newest: The `seq` of the newest message that the inbox refused.
        is_fetched: Whether the inbox has got all messages up to `after`, and none waits.
        has_gap: Whether messages were lost: the order of the messages began anew meanwhile.
    """

    __slots__ = ("after", "epoch", "has_gap", "id", "is_fetched", "key", "newest", "other", "room")

    def __init__(self, key: _Key, room: str | None, other: str | None, first: int) -> None:
        self.key = key
        self.room = room
        self.other = other
        self.after = first - 1
        self.epoch: str | None = None
        self.id: str | None = None
        self.newest = first
        self.is_fetched = False
        self.has_gap = False

    def refuse(self, seq: int) -> None:
        """Note a message that the inbox refused."""
        if seq <= self.newest:  # a new epoch: the rest of the old order is gone
            self.after, self.epoch, self.id = seq - 1, None, None
            self.has_gap = True
        self.newest = seq

    def fetched(self, messages: Sequence[Message], epoch: str, *, is_complete: bool) -> bool:
        """Note a page of history that the inbox has got.

        Args:
            messages: The messages after `after`.
            epoch: Their epoch.
            is_complete: Whether the server had no more.

        Returns:
            Whether all messages that waited are fetched, or gone.
        """
        self.epoch = epoch
        if messages:
            last = messages[-1]
            self.after, self.id = last.seq or self.after, last.id
        # More messages may have come while the server read the page.
        self.is_fetched = not messages or (is_complete and self.after >= self.newest)
        return self.is_fetched


class Overflow:
    """The rooms and people whose messages did not fit into the inbox."""

    def __init__(self) -> None:
        self._streams: dict[_Key, Behind] = {}
        self._queue: dict[_Key, Behind] = {}
        """The streams to fetch, in the order of their turns."""

    def __bool__(self) -> bool:
        return bool(self._streams)

    def holds(self, message: Message) -> bool:
        """Return whether a new message must not go into the inbox now.

        Either earlier messages of the same room or person wait at the server, and this message
        waits behind them; or a page of history had the message already.
        """
        behind = self._streams.get(_key(message))
        if behind is None or message.seq is None:
            return False
        if not behind.is_fetched:
            behind.refuse(message.seq)
            return True
        is_known = behind.newest < message.seq <= behind.after
        behind.newest = message.seq
        if not is_known or message.seq == behind.after:
            self.remove(behind)
        return is_known

    def add(self, message: Message) -> bool:
        """Leave a message, and those that follow it in its room, to the server.

        Returns:
            Whether the client can fetch it later. If not, it is lost: the server sent it to this
            session alone, or too many people wrote.
        """
        if message.seq is None or len(self._streams) >= MAX_STREAMS:
            return False
        key = _key(message)
        other = message.sender if message.room is None else None
        self._streams[key] = self._queue[key] = Behind(key, message.room, other, message.seq)
        return True

    def first(self) -> Behind | None:
        """Return messages that wait at the server, those that wait for longest first, or None."""
        return next((each for each in self._queue.values() if not each.is_fetched), None)

    def has(self, behind: Behind) -> bool:
        """Return whether messages still wait here."""
        return self._streams.get(behind.key) is behind

    def move_back(self, behind: Behind) -> None:
        """Let the messages of other rooms and people be fetched first."""
        if self.has(behind):
            self._queue.pop(behind.key, None)
            if not behind.is_fetched:
                self._queue[behind.key] = behind

    def remove(self, behind: Behind) -> None:
        """Forget messages that need not or cannot be fetched."""
        if self.has(behind):
            del self._streams[behind.key]
            self._queue.pop(behind.key, None)

    def clear(self) -> list[Behind]:
        """Forget everything, and return the messages that were waiting."""
        waiting = list(self._queue.values())
        self._streams.clear()
        self._queue.clear()
        return waiting

    def remove_direct(self) -> bool:
        """Forget the direct messages: they were sent to a name that the client no longer has.

        Returns:
            Whether direct messages were waiting.
        """
        direct = [each for each in self._streams.values() if each.room is None]
        for each in direct:
            self.remove(each)
        return any(not each.is_fetched for each in direct)


def _key(message: Message) -> _Key:
    room = message.room
    return room is None, fold((message.sender or "") if room is None else room)
