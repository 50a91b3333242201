"""`GroupCommit`: what a turn says is stored in one transaction, before anyone is told of it.

While one transaction is under way, what is said waits and goes into the next one together: so a
slow disk makes the transactions larger, not more. Larger up to a point: what is stored together
is delivered together, and everything else waits meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic

import msgspec

from chatd.chat.rooms import M, Room
from chatd.errors import ErrorCode, RequestError, StoreError
from chatd.storage.interface import IMessageStore
from chatd.storage.values import Entry, Outcome

__all__ = ["MAX_BATCH", "GroupCommit", "Pending", "Start"]

MAX_BATCH = 1_000
"""How much is stored in one transaction, at most."""

Start = Callable[[Awaitable[None]], object]
"""Begins to wait for something that nobody else waits for; what it raises is logged."""


class Pending(msgspec.Struct, Generic[M], eq=False):
    """Something that was said.

    Attributes:
        entry: What is to be stored.
        author: Who said it; None for the server.
        room: The room it is said in, if it is.
        done: Called with what became of the entry, if anybody wants to know.
    """

    entry: Entry
    author: M | None
    room: Room[M] | None = None
    done: Callable[[Outcome], None] | None = None


class GroupCommit(Generic[M]):
    """Stores what was said, and tells what became of it, in the order in which it was said.

    Args:
        store: Where it is stored.
        stored: Called with the batch of a transaction and, for each, what became of its entry.
        failed: Called with the error when the store cannot store.
        start: Runs a coroutine.
    """

    def __init__(
        self,
        store: IMessageStore,
        stored: Callable[[Sequence[Pending[M]], Sequence[Outcome]], None],
        failed: Callable[[Exception], None],
        start: Start,
    ) -> None:
        self._store = store
        self._stored = stored
        self._failed = failed
        self._start = start
        self._waiting: list[Pending[M]] = []
        self._under_way: list[Pending[M]] = []  # those of the transaction that is under way
        # How much was ever said and stored, and what is called when so much is stored.
        self._said = 0
        self._done = 0
        self._then: deque[tuple[int, Callable[[], None]]] = deque()

    @property
    def is_idle(self) -> bool:
        """Whether everything that was said is stored, or refused."""
        return not self._waiting and not self._under_way

    @property
    def ready(self) -> int:
        """How much `begin` would begin to store now."""
        return 0 if self._under_way else len(self._waiting)

    def add(self, pending: Pending[M]) -> None:
        """Take a message; `begin` stores it."""
        self._waiting.append(pending)
        self._said += 1

    def begin(self) -> None:
        """Begin to store what was said, unless that is under way."""
        if self._waiting and not self._under_way:
            self._start(self._write())

    def call_when_stored(self, callback: Callable[[], None]) -> None:
        """Call back when everything that was said until now is stored, whatever is said later."""
        self.begin()
        if self.is_idle:
            callback()
        else:
            self._then.append((self._said, callback))

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch = self._under_way = self._waiting[:MAX_BATCH]
                self._waiting = self._waiting[MAX_BATCH:]
                outcomes = await self._append([pending.entry for pending in batch])
                self._done += len(batch)
                self._stored(batch, outcomes)
                while self._then and self._then[0][0] <= self._done:
                    self._then.popleft()[1]()
        finally:
            self._under_way = []

    async def _append(self, entries: Sequence[Entry]) -> Sequence[Outcome]:
        try:
            outcomes = await self._store.append(entries)
            if len(outcomes) != len(entries):
                raise StoreError(f"{len(outcomes)} outcomes of {len(entries)} entries")
        except Exception as error:  # of a store of whatever make: those who wait are answered
            self._failed(error)
            text = "the server cannot store it now; try again later"
            return [RequestError(ErrorCode.NOT_STORED, text, ref=entry.id) for entry in entries]
        return outcomes
