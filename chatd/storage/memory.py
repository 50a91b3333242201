"""`MemoryStore`: keeps messages as long as the process lives, in bounded memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import heapify, heappop

from zope.interface import implementer

from chatd.arguments import check_type
from chatd.storage.interface import IMessageStore
from chatd.storage.memorystream import MemoryStream, Total
from chatd.storage.privateroom import PrivateRoom
from chatd.storage.streamkeys import ROOM_PREFIX, direct_names, is_room
from chatd.storage.values import (
    DirectHead,
    Entry,
    Head,
    Outcome,
    Page,
    Retention,
    StreamPosition,
)

__all__ = ["MAX_BYTES", "MAX_STREAMS", "MEMORY_RETENTION", "MemoryStore"]

MEMORY_RETENTION = Retention(max_messages=1_000, max_bytes=4 * 1024 * 1024)
"""The default retention of a stream in memory."""
MAX_STREAMS = 10_000
"""The most streams; beyond, the store drops the unopened stream with the longest silence."""
MAX_BYTES = 256 * 1024 * 1024
"""The most bytes in all; beyond, the largest stream loses its oldest messages."""

_TRIM_SHARE = 256


@implementer(IMessageStore)
class MemoryStore:
    """Keeps messages as long as the process lives; nothing survives it.

    Args:
        retention: How much of a stream is kept.
        unix_time: Returns the time by which messages age, in Unix seconds.
        max_streams: The most streams; see `MAX_STREAMS`.
        max_bytes: The most bytes in all; see `MAX_BYTES`. Beside its content, each
            message counts as 1,024 bytes.
    """

    def __init__(
        self,
        retention: Retention = MEMORY_RETENTION,
        *,
        unix_time: Callable[[], float] = time.time,
        max_streams: int = MAX_STREAMS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        check_type("retention", retention, Retention, "a Retention")
        self._retention = retention
        self._unix_time = unix_time
        self._max_streams = max_streams
        self._max_bytes = max_bytes
        self._total = Total()
        self._streams: dict[str, MemoryStream] = {}
        # The keys of streams that are not open, the one with the longest silence first.
        self._idle: OrderedDict[str, None] = OrderedDict()
        # The keys of direct streams, by the two folded names in either order.
        self._direct: dict[str, dict[str, str]] = {}
        self._private: dict[str, PrivateRoom] = {}

    def open(self) -> None:
        """Do nothing: memory needs no preparation."""

    async def close(self) -> None:
        """Do nothing: the store holds no files."""

    async def open_stream(self, stream: str, name: str) -> Head:
        """See `IMessageStore`."""
        there = self._stream(stream, name)
        there.name = there.name or name
        there.is_open = is_room(stream)
        if there.is_open:
            self._idle.pop(stream, None)
        there.expire(self._cutoff())
        return there.head

    async def append(self, entries: Sequence[Entry]) -> list[Outcome]:
        """See `IMessageStore`."""
        cutoff = self._cutoff()
        touched: dict[str, MemoryStream] = {}
        outcomes: list[Outcome] = []
        for entry in entries:
            stream = touched.get(entry.stream)
            if stream is None:
                stream = touched[entry.stream] = self._stream(entry.stream)
                if not stream.is_open:
                    self._idle.move_to_end(entry.stream)
                stream.expire(cutoff)
            outcomes.append(stream.append(entry))
        for stream in touched.values():  # not before: an entry may repeat an earlier entry
            stream.trim(self._retention)
        if self._total.bytes > self._max_bytes:
            self._trim()
        return outcomes

    async def read(
        self,
        stream: str,
        *,
        after: int | StreamPosition | None = None,
        before: int | None = None,
        limit: int,
        max_bytes: int,
    ) -> Page:
        """See `IMessageStore`."""
        there = self._streams.get(stream) or self._begin_to_read(stream)
        there.expire(self._cutoff())
        return there.page(after, before, limit, max_bytes)

    async def set_topic(self, stream: str, topic: str) -> None:
        """See `IMessageStore`."""
        self._stream(stream).topic = topic

    async def release(self, stream: str) -> None:
        """See `IMessageStore`."""
        there = self._streams.get(stream)
        if there is not None:
            there.is_open = False
            self._idle[stream] = None
            there.expire(self._cutoff())
            if not there.kept:
                self._forget(stream)

    async def rooms(self, after: str = "", *, limit: int) -> list[Head]:
        """See `IMessageStore`."""
        rooms = {key: key for key in self._streams if is_room(key)}
        return [head for _, head in self._kept(rooms, ROOM_PREFIX + after, limit)]

    async def conversations(self, author: str, after: str = "", *, limit: int) -> list[DirectHead]:
        """See `IMessageStore`."""
        direct = self._direct.get(author, {})
        return [DirectHead(*kept) for kept in self._kept(direct, after, limit)]

    async def private_rooms(self) -> list[PrivateRoom]:
        """See `IMessageStore`."""
        return [room for _, room in sorted(self._private.items())]

    async def keep_private(self, room: PrivateRoom, *, instead_of: PrivateRoom | None) -> bool:
        """See `IMessageStore`."""
        if self._private.get(room.key) != instead_of:
            return False
        self._private[room.key] = room
        return True

    async def drop_private(self, room: PrivateRoom) -> bool:
        """See `IMessageStore`."""
        if self._private.get(room.key) != room:
            return False
        del self._private[room.key]
        return True

    async def expire(self) -> None:
        """See `IMessageStore`."""
        cutoff = self._cutoff()
        for key, stream in list(self._streams.items()):
            stream.expire(cutoff)
            if not stream.kept and not stream.is_open:
                self._forget(key)

    def _trim(self) -> None:
        """Drop messages beyond `max_bytes`, and a few more, so that the search is rare."""
        most = self._max_bytes - self._max_bytes // _TRIM_SHARE
        largest_first = [(-stream.weight, key) for key, stream in self._streams.items()]
        heapify(largest_first)
        while self._total.bytes > most:
            _, key = heappop(largest_first)
            stream = self._streams[key]
            while stream.kept and self._total.bytes > most:
                stream.drop(1)
            if not stream.kept and not stream.is_open:
                self._forget(key)

    def _cutoff(self) -> float:
        return self._unix_time() - self._retention.max_age_s

    def _kept(self, keys: Mapping[str, str], after: str, limit: int) -> Iterator[tuple[str, Head]]:
        """Yield where streams stand that keep a message, in the order of their names.

        Args:
            keys: The keys of the streams, by the names that order them.
            after: The name after which to begin.
            limit: The most streams.
        """
        cutoff = self._cutoff()
        for name in sorted(name for name in keys if name > after):
            stream = self._streams[keys[name]]
            stream.expire(cutoff)
            if stream.kept:
                yield name, stream.head
                limit -= 1
                if not limit:
                    return

    def _stream(self, stream: str, name: str = "") -> MemoryStream:
        there = self._streams.get(stream)
        if there is None:
            there = self._begin(stream, name)
            if len(self._streams) > self._max_streams:
                self._drop_one(stream)
        return there

    def _begin_to_read(self, stream: str) -> MemoryStream:
        """Begin a stream that is the first to go: a reader pushes out no kept message."""
        there = self._begin(stream, "")
        self._idle.move_to_end(stream, last=False)
        if len(self._streams) > self._max_streams:
            self._drop_one()
        return there

    def _begin(self, key: str, name: str) -> MemoryStream:
        stream = self._streams[key] = MemoryStream(name, self._total)
        self._idle[key] = None
        for one, other in _both_ways(key):
            self._direct.setdefault(one, {})[other] = key
        return stream

    def _drop_one(self, begun: str | None = None) -> None:
        """Forget the unopened stream with the longest silence, except the stream just begun."""
        for key in self._idle:
            if key != begun:
                stream = self._streams[key]
                stream.drop(len(stream.kept))
                self._forget(key)
                return

    def _forget(self, key: str) -> None:
        del self._streams[key]
        self._idle.pop(key, None)
        for one, other in _both_ways(key):
            others = self._direct.get(one, {})  # gone already where both names are the same
            others.pop(other, None)
            if not others:
                self._direct.pop(one, None)


def _both_ways(key: str) -> tuple[tuple[str, str], ...]:
    """Return the two folded names of a direct stream, in both orders; nothing for other streams."""
    one, other = direct_names(key)
    return () if one is None or other is None else ((one, other), (other, one))
