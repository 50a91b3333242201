"""`MemoryStore`: keeps what was said as long as the process lives."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop
from itertools import islice
from uuid import uuid4

from zope.interface import implementer

from chatd.storage.interface import (
    Conversation,
    Entry,
    Head,
    IMessageStore,
    Outcome,
    Page,
    Retention,
    Stored,
    StreamPosition,
    place,
    repeat,
    resume_from,
)
from chatd.storage.logstate import direct_names
from chatd.wire.messages import DEFAULT_CONTENT_TYPE, Message

__all__ = ["MAX_BYTES", "MAX_LOGS", "MEMORY_RETENTION", "MESSAGE_BYTES", "MemoryStore"]

MEMORY_RETENTION = Retention(max_messages=1_000, max_bytes=4 * 1024 * 1024)
"""What is kept in memory of a log, unless it is set otherwise."""
MAX_LOGS = 10_000
"""How many logs are kept: of those beyond, the one that nobody is in and that has been silent for
longest goes."""
MAX_BYTES = 256 * 1024 * 1024
"""How many bytes are kept in all: beyond, the largest log loses its oldest messages."""
MESSAGE_BYTES = 1_024
"""What a message takes at most beside its content and a content type of its own, in bytes: 500 with
an id of 32 characters, 1,000 with the longest id and name (CPython 3.11)."""
_CHARACTER_BYTES = 4  # what one takes at most

_ROOM = "room "
_TRIM_SHARE = 256


class _Total:
    """How many bytes are kept in all logs, what is beside the contents among them."""

    __slots__ = ("bytes",)

    def __init__(self) -> None:
        self.bytes = 0


class _Log:
    """One log: the messages that are kept, in order, by author and id."""

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
        retention: How much of a log is kept.
        unix_time: What tells the time that messages bear, in Unix seconds.
        max_logs: How many logs are kept; see `MAX_LOGS`.
        max_bytes: How many bytes are kept in all; see `MAX_BYTES` and `MESSAGE_BYTES`.
    """

    def __init__(
        self,
        retention: Retention = MEMORY_RETENTION,
        *,
        unix_time: Callable[[], float] = time.time,
        max_logs: int = MAX_LOGS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._retention = retention
        self._unix_time = unix_time
        self._max_logs = max_logs
        self._max_bytes = max_bytes
        self._total = _Total()
        self._logs: dict[str, _Log] = {}
        # Those that nobody is in, the longest silent first.
        self._idle: OrderedDict[str, None] = OrderedDict()
        # The keys of direct logs, by the one's name and the other's.
        self._direct: dict[str, dict[str, str]] = {}

    def open(self) -> None:
        """Have nothing to make ready."""

    async def close(self) -> None:
        """Have nothing to let go of."""

    async def open_log(self, log: str, name: str) -> Head:
        """See `IMessageStore`."""
        there = self._log(log, name)
        there.name = there.name or name
        there.is_open = log.startswith(_ROOM)
        if there.is_open:
            self._idle.pop(log, None)
        there.expire(self._cutoff())
        return there.head

    async def append(self, entries: Sequence[Entry]) -> list[Outcome]:
        """See `IMessageStore`."""
        cutoff = self._cutoff()
        touched: dict[str, _Log] = {}
        outcomes: list[Outcome] = []
        for entry in entries:
            log = touched.get(entry.log)
            if log is None:
                log = touched[entry.log] = self._log(entry.log)
                if not log.is_open:
                    self._idle.move_to_end(entry.log)
                log.expire(cutoff)
            outcomes.append(log.append(entry))
        for log in touched.values():  # not before: what one repeats is before it in `entries`
            log.trim(self._retention)
        self._trim()
        return outcomes

    async def read(
        self,
        log: str,
        *,
        after: int | StreamPosition | None = None,
        before: int | None = None,
        limit: int,
        max_bytes: int,
    ) -> Page:
        """See `IMessageStore`."""
        there = self._logs.get(log) or self._begin_to_read(log)
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

    async def set_topic(self, log: str, topic: str) -> None:
        """See `IMessageStore`."""
        self._log(log).topic = topic

    async def release(self, log: str) -> None:
        """See `IMessageStore`."""
        there = self._logs.get(log)
        if there is not None:
            there.is_open = False
            self._idle[log] = None
            there.expire(self._cutoff())
            if not there.kept:
                self._forget(log)

    async def rooms(self, after: str = "", *, limit: int) -> list[Head]:
        """See `IMessageStore`."""
        rooms = {key: key for key in self._logs if key.startswith(_ROOM)}
        return [head for _, head in self._kept(rooms, _ROOM + after, limit)]

    async def conversations(
        self, author: str, after: str = "", *, limit: int
    ) -> list[Conversation]:
        """See `IMessageStore`."""
        direct = self._direct.get(author, {})
        return [Conversation(*kept) for kept in self._kept(direct, after, limit)]

    async def expire(self) -> None:
        """See `IMessageStore`."""
        cutoff = self._cutoff()
        for key, log in list(self._logs.items()):
            log.expire(cutoff)
            if not log.kept and not log.is_open:
                self._forget(key)

    def _trim(self) -> None:
        """Keep no more in all than may be; and a little less, so that it is not looked at often."""
        if self._total.bytes <= self._max_bytes:
            return
        most = self._max_bytes - self._max_bytes // _TRIM_SHARE
        largest_first = [(-log.weight, key) for key, log in self._logs.items()]
        heapify(largest_first)
        while self._total.bytes > most:
            _, key = heappop(largest_first)
            log = self._logs[key]
            while log.kept and self._total.bytes > most:
                log.drop(1)
            if not log.kept and not log.is_open:
                self._forget(key)

    def _cutoff(self) -> float:
        return self._unix_time() - self._retention.max_age_s

    def _kept(self, keys: Mapping[str, str], after: str, limit: int) -> Iterator[tuple[str, Head]]:
        """Return where the first logs after one stand in which something is kept.

        Args:
            keys: The logs' keys, by what they go by.
            after: After which to begin.
            limit: How many at most.
        """
        cutoff = self._cutoff()
        for name in sorted(name for name in keys if name > after):
            log = self._logs[keys[name]]
            log.expire(cutoff)
            if log.kept:
                yield name, log.head
                limit -= 1
                if not limit:
                    return

    def _log(self, log: str, name: str = "") -> _Log:
        there = self._logs.get(log)
        if there is None:
            there = self._begin(log, name)
            if len(self._logs) > self._max_logs:
                self._drop_one(log)
        return there

    def _begin_to_read(self, log: str) -> _Log:
        """Begin a log that is the first to go: or who reads could push out what is kept."""
        there = self._begin(log, "")
        self._idle.move_to_end(log, last=False)
        if len(self._logs) > self._max_logs:
            self._drop_one()
        return there

    def _begin(self, key: str, name: str) -> _Log:
        log = self._logs[key] = _Log(name, self._total)
        self._idle[key] = None
        for one, other in _both_ways(key):
            self._direct.setdefault(one, {})[other] = key
        return log

    def _drop_one(self, begun: str | None = None) -> None:
        """Forget the longest silent log that nobody is in, but not the one just begun."""
        for key in self._idle:
            if key != begun:
                log = self._logs[key]
                log.drop(len(log.kept))
                self._forget(key)
                return

    def _forget(self, key: str) -> None:
        del self._logs[key]
        self._idle.pop(key, None)
        for one, other in _both_ways(key):
            others = self._direct.get(one, {})  # gone where who speaks alone is both
            others.pop(other, None)
            if not others:
                self._direct.pop(one, None)


def _both_ways(key: str) -> tuple[tuple[str, str], ...]:
    """Return the folded names in the key of a direct log, in both orders; none of another log's."""
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
