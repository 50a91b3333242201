"""A stream in memory: its messages in order, and the bytes that they take."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice
from uuid import uuid4

from chatd.storage.values import (
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

__all__ = ["MESSAGE_BYTES", "MemoryStream", "Total"]

MESSAGE_BYTES = 1_024
"""The most bytes that a message takes beside its content and a content type of its own: 500 with an
id of 32 characters, 1,000 with the longest id and name (CPython 3.11)."""
_CHARACTER_BYTES = 4  # the most bytes of a character in a `str`


class Total:
    """How many bytes all streams of a store take, contents and everything else."""

    __slots__ = ("bytes",)

    def __init__(self) -> None:
        self.bytes = 0


class MemoryStream:
    """A stream: the messages that are kept, in order, by author and id."""

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

    def __init__(self, name: str, total: Total) -> None:
        self.name = name
        self._total = total
        self.epoch = uuid4().hex
        self.seq = 0
        self.topic = ""
        self.kept: dict[tuple[str, str], Message] = {}
        # The same keys in the same order, because a search for a dictionary's first key steps over
        # every key that was dropped before it.
        self._keys: deque[tuple[str, str]] = deque()
        self.bytes = 0
        self.weight = 0  # this stream's bytes of the total
        self.is_open = False

    @property
    def oldest(self) -> int:
        """The place of the oldest message that is kept; `seq + 1` if none is."""
        return self.seq - len(self.kept) + 1

    @property
    def head(self) -> Head:
        """Where the stream stands."""
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

    def page(
        self, after: int | StreamPosition | None, before: int | None, limit: int, max_bytes: int
    ) -> Page:
        """Read a part of the stream; see `IMessageStore.read`."""
        oldest = self.oldest
        is_recovered = False
        if isinstance(after, StreamPosition):
            after, is_recovered = resume_from(self.head, after, self.id_at)
        if after is None:
            end = self.seq + 1 if before is None else max(oldest, min(before, self.seq + 1))
            newest_first = islice(
                reversed(self.kept.values()), self.seq + 1 - end, self.seq + 1 - oldest
            )
            messages = _fitting(newest_first, limit, max_bytes)
            is_complete = len(messages) == end - oldest
            messages.reverse()
        else:
            start = min(max(oldest, after + 1), self.seq + 1)
            messages = _fitting(islice(self.kept.values(), start - oldest, None), limit, max_bytes)
            is_complete = start + len(messages) > self.seq
        return Page(messages, self.head, is_complete, is_recovered)

    def append(self, entry: Entry) -> Outcome:
        """Give a message its place; call `trim` when all are appended."""
        key = (entry.author, entry.header.id)
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
        content_type = entry.header.content_type
        if content_type is not DEFAULT_CONTENT_TYPE:
            weight += _CHARACTER_BYTES * len(content_type or "")
        self.weight += weight
        self._total.bytes += weight
        return Stored(message, True)

    def trim(self, retention: Retention) -> None:
        """Drop the oldest messages beyond the retention."""
        if len(self.kept) > retention.max_messages:
            self.drop(len(self.kept) - retention.max_messages)
        while self.bytes > retention.max_bytes and len(self.kept) > 1:
            self.drop(1)

    def drop(self, count: int) -> None:
        """Drop a number of the oldest messages."""
        next_key, take = self._keys.popleft, self.kept.pop
        size = weight = 0
        for _ in range(count):
            message = take(next_key())
            size += len(message.content)
            content_type = message.header.content_type  # type: ignore[union-attr]
            if content_type is not DEFAULT_CONTENT_TYPE:
                weight += _CHARACTER_BYTES * len(content_type or "")
        self.bytes -= size
        weight += size + MESSAGE_BYTES * count
        self.weight -= weight
        self._total.bytes -= weight

    def expire(self, cutoff: float) -> None:
        """Drop the messages that are older than a time, in Unix seconds."""
        while self._keys and _time_of(self.kept[self._keys[0]]) < cutoff:
            self.drop(1)


def _fitting(messages: Iterable[Message], limit: int, max_bytes: int) -> list[Message]:
    """Return the first messages, as many as fit but at least one."""
    fitting: list[Message] = []
    size = 0
    for message in islice(messages, limit):
        size += len(message.content)
        if fitting and size > max_bytes:
            break
        fitting.append(message)
    return fitting


def _time_of(message: Message) -> float:
    return message.header.time  # type: ignore[union-attr,return-value]  # a stored MESSAGE has it
