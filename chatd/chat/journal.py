"""`Journal`: what a turn says is stored in one transaction, before anyone is told of it.

While one transaction is under way, what is said waits and goes into the next one together: so a
slow disk makes the transactions larger, not more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic

import msgspec

from chatd.chat.members import Audience, M
from chatd.chat.rooms import Room
from chatd.errors import ErrorCode, RequestError
from chatd.storage.interface import Entry, IMessageStore, Outcome

__all__ = ["Draft", "Journal", "Start"]

Start = Callable[[Awaitable[None]], object]
"""Begins to wait for something that nobody else waits for; what it raises is logged."""


class Draft(msgspec.Struct, Generic[M], eq=False):
    """Something that was said, and is answered in its turn.

    Attributes:
        entry: What is to be stored, or None for what was refused already.
        author: Who said it; None for the server.
        audience: Who is to hear it.
        room: The room it is said in, if it is.
        done: Called with what became of it, if anybody wants to know.
        refusal: Why it was refused already.
    """

    entry: Entry | None
    author: M | None
    audience: Audience[M] | None = None
    room: Room[M] | None = None
    done: Callable[[Outcome], None] | None = None
    refusal: RequestError | None = None


class Journal(Generic[M]):
    """Stores what was said, and tells what became of it, in the order in which it was said.

    Args:
        store: Where it is stored.
        settled: Called with each draft and its outcome, in order.
        failed: Called with the error when the store cannot store.
        start: Runs a coroutine.
    """

    def __init__(
        self,
        store: IMessageStore,
        settled: Callable[[Draft[M], Outcome], None],
        failed: Callable[[Exception], None],
        start: Start,
    ) -> None:
        self._store = store
        self._settled = settled
        self._failed = failed
        self._start = start
        self._drafts: list[Draft[M]] = []
        self._is_writing = False
        self._waiters: list[Callable[[], None]] = []

    @property
    def is_idle(self) -> bool:
        """Whether everything that was said is settled."""
        return not self._drafts and not self._is_writing

    def add(self, draft: Draft[M]) -> None:
        """Take a draft; `settle` stores it."""
        self._drafts.append(draft)

    def settle(self) -> None:
        """Begin to store what was said, unless that is under way."""
        if self._drafts and not self._is_writing:
            self._start(self._write())

    def call_when_idle(self, callback: Callable[[], None]) -> None:
        """Call back when everything that was said is settled."""
        self.settle()
        if self.is_idle:
            callback()
        else:
            self._waiters.append(callback)

    async def _write(self) -> None:
        self._is_writing = True
        try:
            while self._drafts:
                drafts, self._drafts = self._drafts, []
                outcomes = iter(await self._append(drafts))
                for draft in drafts:
                    refusal = draft.refusal
                    self._settled(draft, next(outcomes) if refusal is None else refusal)
        finally:
            self._is_writing = False
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter()

    async def _append(self, drafts: Sequence[Draft[M]]) -> Sequence[Outcome]:
        entries = [draft.entry for draft in drafts if draft.entry is not None]
        if not entries:
            return ()
        try:
            return await self._store.append(entries)
        except Exception as error:  # of a store of whatever make: those who wait are answered
            self._failed(error)
            return [
                RequestError(
                    ErrorCode.NOT_STORED,
                    "the server cannot store it now; try again later",
                    ref=entry.id,
                )
                for entry in entries
            ]
