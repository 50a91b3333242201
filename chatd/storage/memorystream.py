"""A stream in memory: its messages in order, and the bytes that they take."""

from __future__ import annotations

from collections import deque
from itertools import islice
from uuid import uuid4

from chatd.storage.paging import fitting, read_page
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
        "_type_bytes",
        "bytes",
        "epoch",
        "is_open",
        "kept",
        "name",
        "seq",
        "topic",
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
        self._type_bytes = 0  # those of content types of their own
        self.is_open = False

    @property
    def oldest(self) -> int:
        """The place of the oldest message that is kept; `seq + 1` if none is."""
        return self.seq - len(self.kept) + 1

    @property
    def weight(self) -> int:
        """This stream's bytes of the total."""
        return self.bytes + self._type_bytes + MESSAGE_BYTES * len(self.kept)

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
        oldest, kept = self.oldest, self.kept.values()

        def up(start: int) -> list[Message]:
            return fitting(islice(kept, start - oldest, start - oldest + limit), max_bytes)

        def down(end: int) -> list[Message]:
            first = self.seq + 1 - end
            return fitting(islice(reversed(kept), first, first + limit), max_bytes)

        return read_page(self.head, after, before, id_at=self.id_at, up=up, down=down)

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
            type_bytes = _CHARACTER_BYTES * len(content_type or "")
            self._type_bytes += type_bytes
            weight += type_bytes
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
        size = type_bytes = 0
        for _ in range(count):
            message = take(next_key())
            size += len(message.content)
            content_type = message.header.content_type  # type: ignore[union-attr]
            if content_type is not DEFAULT_CONTENT_TYPE:
                type_bytes += _CHARACTER_BYTES * len(content_type or "")
        self.bytes -= size
        self._type_bytes -= type_bytes
        self._total.bytes -= size + type_bytes + MESSAGE_BYTES * count

    def expire(self, cutoff: float) -> None:
        """Drop the messages that are older than a time, in Unix seconds."""
        while self._keys and _time_of(self.kept[self._keys[0]]) < cutoff:
            self.drop(1)


def _time_of(message: Message) -> float:
    return message.header.time  # type: ignore[union-attr,return-value]  # a stored MESSAGE has it
