"""`GroupCommit`: stores the messages of a turn in one transaction, before any member gets them.

Messages that arrive while a transaction is under way go into the next one together. So a slow disk
makes the transactions larger, not more. `MAX_BATCH` bounds them, because messages that are stored
together are delivered together, and everything else waits. If more messages wait, the authors are
served in fair turns: a message of an author who says little is in the next transaction. The
messages of each author keep their order. So if a transaction fails, the messages that its authors
sent since then are refused too: none of them may come before a message that is sent again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic

import msgspec

from chatd.chat.fairorder import FairOrder
from chatd.chat.rooms import M, Room
from chatd.errors import ErrorCode, RequestError, StoreError
from chatd.storage.values import Entry, Outcome

__all__ = ["MAX_BATCH", "Append", "GroupCommit", "Pending", "Start"]

MAX_BATCH = 1_000
"""The most messages in one transaction."""

Start = Callable[[Awaitable[None]], object]
"""Starts something without waiting for it; an error that it raises is logged."""
Append = Callable[[Sequence[Entry]], Awaitable[Sequence[Outcome]]]
"""Stores messages, and returns the outcome of each."""


class Pending(msgspec.Struct, Generic[M], eq=False):
    """A run of messages that are not stored yet: from one author, to one room or name.

    Attributes:
        entries: The entries to store.
        author: The author; None for a message of the server.
        room: The room of the messages; None for direct messages.
        done: Called with the outcome of the only entry, if given.
        size: The bytes of the messages' contents.
        is_refused: Whether they are not to be stored, because an earlier message of the author was
            not stored.
    """

    entries: Sequence[Entry]
    author: M | None
    room: Room[M] | None = None
    done: Callable[[Outcome], None] | None = None
    size: int = 0
    is_refused: bool = False


class GroupCommit(Generic[M]):
    """Stores messages, and reports the outcomes in the order in which they were stored.

    Args:
        append: Stores messages; see `chatd.chat.shared.Shared.append`.
        stored: Called with the runs of a transaction, and the outcome of each of their messages.
        failed: Called with the error when the store fails.
        start: Runs a coroutine; see `Start`.
        works: Called with False when transactions begin to fail, and with True when one succeeds
            again.
    """

    def __init__(
        self,
        append: Append,
        stored: Callable[[Sequence[Pending[M]], Sequence[Outcome]], None],
        failed: Callable[[Exception], None],
        start: Start,
        works: Callable[[bool], None],
    ) -> None:
        self._append = append
        self._stored = stored
        self._failed = failed
        self._start = start
        self._works = works
        self._is_working = True  # as far as the last transaction tells
        self._arrived: list[Pending[M]] = []
        self._crowd: FairOrder[Pending[M]] = FairOrder()  # these arrived before `_arrived`
        self._under_way: list[Pending[M]] = []  # the messages of the present transaction
        # How many messages were ever added, put in the fair order or a transaction, and put in a
        # transaction; and the callbacks with the number of messages that must be stored first.
        self._said = 0
        self._taken = 0
        self._done = 0
        self._may_refuse = False  # runs that wait may be marked as refused
        self._then: deque[tuple[int, Callable[[], None]]] = deque()

    @property
    def is_idle(self) -> bool:
        """Whether every message is stored or refused."""
        return not (self._under_way or self._arrived or self._crowd.items)

    @property
    def ready(self) -> int:
        """How many messages `begin` would begin to store now."""
        return 0 if self._under_way else self._said - self._done

    def add(self, pending: Pending[M]) -> None:
        """Add messages; `begin` stores them."""
        self._arrived.append(pending)
        self._said += len(pending.entries)

    def begin(self) -> None:
        """Begin to store the messages, unless a transaction is under way."""
        if not self._under_way and (self._arrived or self._crowd.items):
            self._start(self._write())

    def call_when_stored(self, callback: Callable[[], None]) -> None:
        """Call back when every message until now is stored; later messages do not matter."""
        self.begin()
        if self.is_idle:
            callback()
        else:
            self._then.append((self._said, callback))

    async def _write(self) -> None:
        try:
            while self._arrived or self._crowd.items:
                batch = self._under_way = self._take_batch()
                entries = batch[0].entries if len(batch) == 1 else _entries_of(batch)
                # Counted first: a store whose work is cancelled must not keep callbacks for ever.
                self._done += len(entries)
                if self._may_refuse:
                    batch = self._refuse_marked(batch)
                    entries = _entries_of(batch)
                if batch:
                    try:
                        outcomes = await self._append(entries)
                        if len(outcomes) != len(entries):
                            raise StoreError(f"{len(outcomes)} outcomes for {len(entries)} entries")
                    except Exception as error:  # from any store: authors must get their answers
                        outcomes = self._fail(batch, entries, error)
                    else:
                        if not self._is_working:
                            self._note_state(works=True)
                    self._report(batch, outcomes)
                while self._then and self._then[0][0] <= self._done:
                    self._then.popleft()[1]()
        finally:
            self._under_way = []
            self._may_refuse = False

    def _fail(
        self, batch: Sequence[Pending[M]], entries: Sequence[Entry], error: Exception
    ) -> list[Outcome]:
        """Note that the store failed, and return the outcomes of its entries."""
        self._failed(error)
        self._note_state(works=False)
        self._mark_behind(batch)  # not what an author says once it hears of the refusal
        return list(map(_not_stored, entries))

    def _note_state(self, *, works: bool) -> None:
        if works is not self._is_working:
            self._is_working = works
            self._works(works)

    def _report(self, batch: Sequence[Pending[M]], outcomes: Sequence[Outcome]) -> None:
        try:
            self._stored(batch, outcomes)
        except Exception as error:  # the later messages must get their answers all the same
            self._failed(error)

    def _mark_behind(self, failed: Sequence[Pending[M]]) -> None:
        """Mark the runs of the same authors that wait."""
        authors = {pending.author.id for pending in failed if pending.author is not None}
        for pending in (*self._arrived, *(item for *_, item in self._crowd.items)):
            if pending.author is not None and pending.author.id in authors:
                pending.is_refused = self._may_refuse = True

    def _refuse_marked(self, batch: Sequence[Pending[M]]) -> list[Pending[M]]:
        """Refuse the marked runs, and return the others."""
        refused = [pending for pending in batch if pending.is_refused]
        if refused:
            self._report(refused, list(map(_not_stored, _entries_of(refused))))
        return [pending for pending in batch if not pending.is_refused]

    def _take_batch(self) -> list[Pending[M]]:
        """Take the next runs, with at most `MAX_BATCH` messages; one run is never more."""
        crowd = self._crowd
        if self._said - self._done <= MAX_BATCH:
            batch, self._arrived = self._arrived, []
            self._taken = self._said
            return crowd.pop_all() + batch if crowd.items else batch
        self._join_crowd()
        messages = crowd.next_size
        batch = [crowd.pop()]
        while crowd.items and messages + crowd.next_size <= MAX_BATCH:
            messages += crowd.next_size
            batch.append(crowd.pop())
        return batch

    def _join_crowd(self) -> None:
        """Put the runs that have arrived in the fair order, as far as the next callback waits."""
        last = self._then[0][0] if self._then else self._said
        joined = 0
        for pending in self._arrived:
            if self._taken >= last:
                break
            count = len(pending.entries)
            self._crowd.push("" if pending.author is None else pending.author.id, count, pending)
            self._taken += count
            joined += 1
        del self._arrived[:joined]


def _entries_of(batch: Sequence[Pending[M]]) -> list[Entry]:
    return [entry for pending in batch for entry in pending.entries]


def _not_stored(entry: Entry) -> RequestError:
    text = "the server cannot store the message now; try again later"
    return RequestError(ErrorCode.NOT_STORED, text, ref=entry.header.id)
