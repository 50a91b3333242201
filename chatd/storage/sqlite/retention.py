"""Retention in the SQLite store: old messages stop counting at once, and are deleted later."""

from __future__ import annotations

from contextlib import closing

from chatd.storage.sqlite.messagetable import MessageTable
from chatd.storage.sqlite.streamstate import StreamState
from chatd.storage.sqlite.streamtable import StreamTable
from chatd.storage.values import Retention

__all__ = ["SWEEP_BYTES", "SWEEP_ROWS", "Budget", "Pruner"]

SWEEP_ROWS = 500
"""The most messages to delete at once, and the number no longer kept at which a stream is swept."""
SWEEP_BYTES = 16 * 1024 * 1024
"""The same in bytes of content."""


class Budget:
    """How much may be deleted in one transaction, because other calls wait for its end.

    Args:
        rows: The most messages.

    Attributes:
        rows: The number of remaining messages.
        bytes: The remaining bytes of content; the last message may be larger.
    """

    def __init__(self, rows: int = SWEEP_ROWS) -> None:
        self.rows = rows
        self.bytes = SWEEP_BYTES


class Pruner:
    """Applies the retention to the streams of a database.

    Args:
        streams: The table of the streams.
        messages: The table of their messages.
        retention: How much of a stream is kept.
    """

    def __init__(self, streams: StreamTable, messages: MessageTable, retention: Retention) -> None:
        self._streams = streams
        self._messages = messages
        self._retention = retention

    def trim(self, stream: StreamState, cutoff: float) -> None:
        """Find the messages of a stream that are kept; change the state, and write nothing.

        Args:
            stream: The stream.
            cutoff: The time before which messages are too old, in Unix seconds.
        """
        bounds = self._retention
        kept, size = stream.kept, stream.bytes
        start = stream.oldest
        if kept > bounds.max_messages + 1:  # a single message is dropped below
            start = stream.seq - bounds.max_messages + 1
            size -= self._messages.size_between(stream, stream.oldest, start)
            kept = bounds.max_messages
        with closing(self._messages.kept(stream, start)) as rows:
            for time, length in rows:
                fits = size <= bounds.max_bytes or kept == 1
                if fits and kept <= bounds.max_messages and time >= cutoff:
                    break
                kept -= 1
                size -= length
        stream.waste_bytes += stream.bytes - size
        stream.bytes = size
        stream.oldest = stream.seq - kept + 1

    def prune_appended(self, stream: StreamState, added: int, cutoff: float) -> None:
        """Trim a stream that has grown beyond the bounds, and sweep it once that is worthwhile.

        Args:
            stream: The stream.
            added: How many messages were appended in this transaction.
            cutoff: See `trim`.
        """
        bounds = self._retention
        if stream.kept > bounds.max_messages or stream.bytes > bounds.max_bytes:
            self.trim(stream, cutoff)
        if stream.oldest - stream.first >= SWEEP_ROWS or stream.waste_bytes >= SWEEP_BYTES:
            self.sweep(stream, Budget(rows=SWEEP_ROWS + added))

    def sweep(self, stream: StreamState, budget: Budget) -> bool:
        """Delete messages of a stream that are no longer kept, as many as the budget allows.

        Returns:
            Whether none remain.
        """
        start, end = stream.first, min(stream.oldest, stream.first + max(0, budget.rows))
        if start < end and budget.bytes > 0:
            size = self._messages.size_between(stream, start, end)
            if size > budget.bytes:
                end = self._messages.end_of_bytes(stream, start, end, budget.bytes)
                size = self._messages.size_between(stream, start, end)
            self._messages.delete_before(stream, end)
            budget.rows -= end - start
            budget.bytes -= size
            stream.waste_bytes -= size
            stream.first = end
        stream.waste_bytes = max(0, stream.waste_bytes)
        return stream.first >= stream.oldest

    def expire(self, stream: StreamState, cutoff: float, budget: Budget, *, is_held: bool) -> bool:
        """Delete the messages of a stream that are too old, as many as the budget allows.

        Args:
            stream: The stream.
            cutoff: See `trim`.
            budget: How much may be deleted.
            is_held: Whether the stream stays even if it keeps no message.

        Returns:
            Whether none remain.
        """
        self.trim(stream, cutoff)
        if not stream.kept and not is_held:
            return self.clear(stream, budget)
        is_swept = self.sweep(stream, budget)
        self._streams.save(stream)
        return is_swept

    def clear(self, stream: StreamState, budget: Budget) -> bool:
        """Remove a stream, and delete its messages, as many as the budget allows.

        Returns:
            Whether none remain.
        """
        self._streams.retire(stream)
        is_swept = self.sweep(stream, budget)
        if is_swept:
            self._streams.remove(stream)
        return is_swept

    def tidy(self, cutoff: float) -> None:
        """Apply the bounds, which may have changed, to every stream, and remove empty streams.

        Args:
            cutoff: See `trim`.
        """
        for stream in self._streams.find_larger(
            self._retention.max_messages, self._retention.max_bytes
        ):
            self.trim(stream, cutoff)
            self._streams.save(stream)
        self._streams.retire_old(cutoff)
