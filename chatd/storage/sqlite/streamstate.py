"""The states of streams that the SQLite store caches, so that an append needs no query."""

from __future__ import annotations

from collections import OrderedDict
from copy import copy

import msgspec

from chatd.storage.values import Head

__all__ = ["MAX_IDLE", "StreamCache", "StreamState"]

MAX_IDLE = 10_000
"""The most cached streams that are not open."""


class StreamState(msgspec.Struct, kw_only=True):
    """The state of a stream.

    Attributes:
        key: The key of the stream.
        name: See `Head`.
        epoch: See `Head`.
        topic: See `Head`.
        id: The number in the database; None if the stream never had a message.
        seq: See `Head`.
        written_seq: The `seq` that is in the database.
        oldest: See `Head`.
        bytes: The size of the contents that are kept.
        first: The lowest place that may still be in the database.
        last_id: The id of the message at `seq`, kept or not; None if there was none.
        waste_bytes: The size of the messages that are no longer kept and not deleted yet.
    """

    key: str
    name: str
    epoch: str
    topic: str = ""
    id: int | None = None
    seq: int = 0
    written_seq: int = 0
    oldest: int = 1
    bytes: int = 0
    first: int = 1
    last_id: str | None = None
    waste_bytes: int = 0

    @property
    def kept(self) -> int:
        """How many messages are kept."""
        return self.seq - self.oldest + 1

    @property
    def head(self) -> Head:
        """The state as callers of the store get it."""
        return Head(
            name=self.name,
            epoch=self.epoch,
            seq=self.seq,
            oldest=self.oldest,
            topic=self.topic,
            last_id=self.last_id if self.kept else None,
        )

    @property
    def number(self) -> int:
        """The number in the database, for an existing stream."""
        assert self.id is not None
        return self.id

    def copied(self) -> StreamState:
        """Return a copy that can change without changing this state."""
        return copy(self)


class StreamCache:
    """The cached states: of all open streams, and of other streams that were used last.

    Args:
        max_idle: The most states of streams that are not open.
    """

    def __init__(self, max_idle: int = MAX_IDLE) -> None:
        self._max_idle = max_idle
        self._open: dict[str, StreamState] = {}
        self._idle: OrderedDict[str, StreamState] = OrderedDict()  # the least recently used first

    def get(self, key: str) -> StreamState | None:
        """Return the cached state of a stream, or None."""
        stream = self._open.get(key)
        if stream is None:
            stream = self._idle.get(key)
            if stream is not None:
                self._idle.move_to_end(key)
        return stream

    def put(self, stream: StreamState) -> None:
        """Cache a state, in place of an earlier one."""
        if stream.key in self._open:
            self._open[stream.key] = stream
            return
        self._idle[stream.key] = stream
        self._idle.move_to_end(stream.key)
        if len(self._idle) > self._max_idle:
            self._idle.popitem(last=False)

    def renew(self, stream: StreamState) -> None:
        """Replace the state of a stream, if there is a cached one."""
        for streams in (self._open, self._idle):
            if stream.key in streams:
                streams[stream.key] = stream

    def forget(self, key: str) -> None:
        """Drop the state of a stream."""
        self._open.pop(key, None)
        self._idle.pop(key, None)

    def is_open(self, key: str) -> bool:
        """Return whether a stream is open."""
        return key in self._open

    def hold(self, stream: StreamState) -> None:
        """Note that a stream is open: its state stays."""
        self._idle.pop(stream.key, None)
        self._open[stream.key] = stream

    def loosen(self, key: str) -> None:
        """Note that a stream is no longer open."""
        stream = self._open.pop(key, None)
        if stream is not None:
            self.put(stream)

    def forget_unsaid(self) -> None:
        """Drop the states of streams that are not open and have never had a message."""
        for key in [key for key, stream in self._idle.items() if stream.id is None]:
            del self._idle[key]
