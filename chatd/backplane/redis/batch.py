"""`Batch`: the messages of one append for one stream."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from chatd.backplane.redis.packing import pack, unpack
from chatd.storage.values import Entry, Outcome, Stored, repeat
from chatd.wire.messages import MESSAGE_TYPE, Message

__all__ = ["Batch", "Key", "batches_of"]

Key = tuple[str, str]
"""What identifies a message of a stream: the author and the id."""


class Batch:
    """The messages of one append for one stream.

    An entry with the author and the id of an earlier entry is not sent to Redis.
    """

    __slots__ = ("_bytes", "_entries", "_messages", "_new")

    def __init__(self) -> None:
        self._entries: dict[Key, Entry] = {}
        self._bytes = 0
        self._messages: dict[Key, Message] = {}
        self._new: set[Key] = set()

    def add(self, entry: Entry) -> None:
        """Add an entry."""
        key = (entry.author, entry.header.id)
        if key not in self._entries:
            self._entries[key] = entry
            self._bytes += len(entry.content)

    @property
    def keys(self) -> Collection[Key]:
        """The keys of the messages."""
        return self._entries.keys()

    def args(self) -> list[Any]:
        """Return the arguments of `append.lua` for these entries."""
        packed = [pack(entry) for entry in self._entries.values()]
        return [
            len(packed),
            self._bytes,
            *(key for key, _ in packed),
            *(kept for _, kept in packed),
        ]

    def answered(
        self,
        first: int,
        time: float,
        repeats: Sequence[Sequence[Any]],
        untold: Collection[Key] = (),
    ) -> int:
        """Take the answer, and return the place of the last new message, or `first - 1`.

        Args:
            first: The place of the first new message.
            time: The time of the new messages.
            repeats: The number of each entry that is not new, its place and the kept message.
            untold: The messages that count as new also if Redis has them; see `Untold`.
        """
        earlier = {number: (element, place) for number, place, element in repeats}
        seq = first - 1
        for number, (key, entry) in enumerate(self._entries.items(), 1):
            if number in earlier:
                kept = self._messages[key] = unpack(*earlier[number])
                if key in untold and isinstance(repeat(entry, kept), Stored):
                    self._new.add(key)
                continue
            seq += 1
            header = msgspec.structs.replace(entry.header, seq=seq, time=time)
            self._messages[key] = Message(MESSAGE_TYPE, header, entry.content)
            self._new.add(key)
        return seq

    def outcome(self, entry: Entry) -> Outcome:
        """Return the outcome of an entry; called once for each, in order."""
        key = (entry.author, entry.header.id)
        message = self._messages[key]
        if key in self._new:
            self._new.remove(key)
            return Stored(message, True)
        return repeat(entry, message)


def batches_of(entries: Iterable[Entry]) -> dict[str, Batch]:
    """Return the batch of each stream of some entries."""
    batches: dict[str, Batch] = {}
    for entry in entries:
        batch = batches.get(entry.stream)
        if batch is None:
            batch = batches[entry.stream] = Batch()
        batch.add(entry)
    return batches
