"""`MemoryStore`: keeps what was said as long as the process lives."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop
from itertools import islice
from uuid import uuid4

from zope.interface import implementer

from chatd.storage.interface import IMessageStore
from chatd.storage.streamkeys import direct_names
from chatd.storage.values import (
    DirectHead,
    Entry,
    Head,
    Outcome,
    Page,
    Retention,
    Stored,
    StreamPosition,
    place,
    repeat,
    resume_from,
)
from chatd.wire.messages import DEFAULT_CONTENT_TYPE, Message

__all__ = ["MAX_BYTES", "MAX_STREAMS", "MEMORY_RETENTION", "MESSAGE_BYTES", "MemoryStore"]

MEMORY_RETENTION = Retention(max_messages=1_000, max_bytes=4 * 1024 * 1024)
"""What is kept in memory of a stream, unless it is set otherwise."""
MAX_STREAMS = 10_000
"""How many streams are kept: with more, the longest silent stream that nobody is in goes."""
MAX_BYTES = 256 * 1024 * 1024
"""How many bytes are kept in all: beyond, the largest stream loses its oldest messages."""
MESSAGE_BYTES = 1_024
"""What a message takes at most beside its content and a content type of its own, in bytes: 500 with
an id of 32 characters, 1,000 with the longest id and name (CPython 3.11)."""
_CHARACTER_BYTES = 4  # what one takes at most

_ROOM = "room "
_TRIM_SHARE = 256


class _Total:
    """How many bytes are kept in all streams, what is beside the contents among them."""

    __slots__ = ("bytes",)

    def __init__(self) -> None:
        self.bytes = 0


class _Stream:
    """One stream: the messages that are kept, in order, by author and id."""

    __slots__ = (
        "_keys",
        "_total",
        "bytes",
        "epoch",
        "is_open",
        "kept",
        "name",
        "seq",
        "topic",
        "weight",
    )

    def __init__(self, name: str, total: _Total) -> None:
        self.name = name
        self._total = total
        self.epoch = uuid4().hex
        self.seq = 0
        self.topic = ""
        self.kept: dict[tuple[str, str], Message] = {}
        # The same keys in the same order: to ask a dictionary for its first one costs a look at
        # all that were dropped before it.
        self._keys: deque[tuple[str, str]] = deque()
        self.bytes = 0
        self.weight = 0  # of those bytes that are kept in all
        self.is_open = False

    @property
    def oldest(self) -> int:
        """The place of the oldest message that is kept; `seq + 1` where none is."""
        return self.seq - len(self.kept) + 1

    @property
    def head(self) -> Head:
        """Where it stands."""
        return Head(
            name=self.name,
            epoch=self.epoch,
            seq=self.seq,
            oldest=self.oldest,
            topic=self.topic,
            last_id=self._keys[-1][1] if self._keys else None,
        )

    def id_at(self, seq: int) -> str:
        """Return the id of a message that is kept."""
        return self._keys[seq - self.oldest][1]

    def append(self, entry: Entry) -> Outcome:
        """Give a message its place; `trim` is for when all are appended."""
        key = (entry.author, entry.id)
        earlier = self.kept.get(key)
        if earlier is not None:
            return repeat(entry, earlier)
        self.seq += 1
        message = place(entry, self.seq)
        self.kept[key] = message
        self._keys.append(key)
        size = len(entry.content)
        self.bytes += size
        weight = size + MESSAGE_BYTES
        if entry.content_type is not DEFAULT_CONTENT_TYPE:
            weight += _CHARACTER_BYTES * len(entry.content_type)
        self.weight += weight
        self._total.bytes += weight
        return Stored(message, True)

    def trim(self, retention: Retention) -> None:
        """Drop what is too much."""
        self.drop(len(self.kept) - retention.max_messages)
        while self.bytes > retention.max_bytes and len(self.kept) > 1:
            self.drop(1)

    def drop(self, count: int) -> None:
        """Keep so many messages less, the oldest ones."""
        next_key, take = self._keys.popleft, self.kept.pop
        size = weight = 0
        for _ in range(count):
            message = take(next_key())
            size += len(message.content)
            content_type = message.header.content_type  # type: ignore[union-attr]
            if content_type is not DEFAULT_CONTENT_TYPE:
                weight += _CHARACTER_BYTES * len(content_type or "")
        self.bytes -= size
        weight += size + MESSAGE_BYTES * max(count, 0)
        self.weight -= weight
        self._total.bytes -= weight

    def expire(self, cutoff: float) -> None:
        """Drop what was said before a time."""
        while self._keys and _time_of(self.kept[self._keys[0]]) < cutoff:
            self.drop(1)


@implementer(IMessageStore)
class MemoryStore:
    """Keeps what was said as long as the process lives; nothing survives it.

    Args:
        retention: How much of a stream is kept.
        unix_time: What tells the time that messages bear, in Unix seconds.
        max_streams: How many streams are kept; see `MAX_STREAMS`.
        max_bytes: How many bytes are kept in all; see `MAX_BYTES` and `MESSAGE_BYTES`.
    """

    def __init__(
        self,
        retention: Retention = MEMORY_RETENTION,
        *,
        unix_time: Callable[[], float] = time.time,
        max_streams: int = MAX_STREAMS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._retention = retention
        self._unix_time = unix_time
        self._max_streams = max_streams
        self._max_bytes = max_bytes
        self._total = _Total()
        self._streams: dict[str, _Stream] = {}
        # Those that nobody is in, the longest silent first.
        self._idle: OrderedDict[str, None] = OrderedDict()
        # The keys of direct streams, by the one's name and the other's.
        self._direct: dict[str, dict[str, str]] = {}

    def open(self) -> None:
        """Have nothing to make ready."""

    async def close(self) -> None:
        """Have nothing to let go of."""

    async def open_stream(self, stream: str, name: str) -> Head:
        """See `IMessageStore`."""
        there = self._stream(stream, name)
        there.name = there.name or name
        there.is_open = stream.startswith(_ROOM)
        if there.is_open:
            self._idle.pop(stream, None)
        there.expire(self._cutoff())
        return there.head

    async def append(self, entries: Sequence[Entry]) -> list[Outcome]:
        """See `IMessageStore`."""
        cutoff = self._cutoff()
        touched: dict[str, _Stream] = {}
        outcomes: list[Outcome] = []
        for entry in entries:
            stream = touched.get(entry.stream)
            if stream is None:
                stream = touched[entry.stream] = self._stream(entry.stream)
                if not stream.is_open:
                    self._idle.move_to_end(entry.stream)
                stream.expire(cutoff)
            outcomes.append(stream.append(entry))
        for stream in touched.values():  # not before: what one repeats is before it in `entries`
            stream.trim(self._retention)
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
        oldest = there.oldest
        is_recovered = False
        if isinstance(after, StreamPosition):
            after, is_recovered = resume_from(there.head, after, there.id_at)
        if after is None:
            end = there.seq + 1 if before is None else max(oldest, min(before, there.seq + 1))
            newest_first = islice(
                reversed(there.kept.values()), there.seq + 1 - end, there.seq + 1 - oldest
            )
            messages = _fitting(newest_first, limit, max_bytes)
            is_complete = len(messages) == end - oldest
            messages.reverse()
        else:
            start = min(max(oldest, after + 1), there.seq + 1)
            messages = _fitting(islice(there.kept.values(), start - oldest, None), limit, max_bytes)
            is_complete = start + len(messages) > there.seq
        return Page(messages, there.head, is_complete, is_recovered)

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
        rooms = {key: key for key in self._streams if key.startswith(_ROOM)}
        return [head for _, head in self._kept(rooms, _ROOM + after, limit)]

    async def conversations(self, author: str, after: str = "", *, limit: int) -> list[DirectHead]:
        """See `IMessageStore`."""
        direct = self._direct.get(author, {})
        return [DirectHead(*kept) for kept in self._kept(direct, after, limit)]

    async def expire(self) -> None:
        """See `IMessageStore`."""
        cutoff = self._cutoff()
        for key, stream in list(self._streams.items()):
            stream.expire(cutoff)
            if not stream.kept and not stream.is_open:
                self._forget(key)

    def _trim(self) -> None:
        """Keep no more in all than may be; and a little less, so that it is not looked at often."""
        if self._total.bytes <= self._max_bytes:
            return
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
        """Return where the first streams after one stand in which something is kept.

        Args:
            keys: The streams' keys, by what they go by.
            after: After which to begin.
            limit: How many at most.
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

    def _stream(self, stream: str, name: str = "") -> _Stream:
        there = self._streams.get(stream)
        if there is None:
            there = self._begin(stream, name)
            if len(self._streams) > self._max_streams:
                self._drop_one(stream)
        return there

    def _begin_to_read(self, stream: str) -> _Stream:
        """Begin a stream that is the first to go: or who reads could push out what is kept."""
        there = self._begin(stream, "")
        self._idle.move_to_end(stream, last=False)
        if len(self._streams) > self._max_streams:
            self._drop_one()
        return there

    def _begin(self, key: str, name: str) -> _Stream:
        stream = self._streams[key] = _Stream(name, self._total)
        self._idle[key] = None
        for one, other in _both_ways(key):
            self._direct.setdefault(one, {})[other] = key
        return stream

    def _drop_one(self, begun: str | None = None) -> None:
        """Forget the longest silent stream that nobody is in, but not the one just begun."""
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
            others = self._direct.get(one, {})  # gone where who speaks alone is both
            others.pop(other, None)
            if not others:
                self._direct.pop(one, None)


def _both_ways(key: str) -> tuple[tuple[str, str], ...]:
    """Return the two folded names of a direct stream, in both orders; nothing for other streams."""
    one, other = direct_names(key)
    return () if one is None or other is None else ((one, other), (other, one))


def _fitting(messages: Iterable[Message], limit: int, max_bytes: int) -> list[Message]:
    """Return as many of the first messages as fit; one in any case."""
    fitting: list[Message] = []
    size = 0
    for message in islice(messages, limit):
        size += len(message.content)
        if fitting and size > max_bytes:
            break
        fitting.append(message)
    return fitting


def _time_of(message: Message) -> float:
    assert message.time is not None
    return message.time
