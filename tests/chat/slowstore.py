"""A store that answers when a test says so."""

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred

from chatd.storage.memory import MEMORY_RETENTION, MemoryStore


class SlowStore(MemoryStore):
    """A store that answers when the test says so, if `is_slow`; in the order of the calls.

    Attributes:
        asked: The names of the called methods.
        appends: The number of messages of each `append`.
        page: The most messages of a page, whatever the caller asks for.
        failure: The error that every call fails with, if set.
        is_held: Returns whether another daemon has a stream open, which keeps it.
        answered: Called after each answer.
    """

    def __init__(self, retention=MEMORY_RETENTION, **options):
        super().__init__(retention, **options)
        self.is_slow = False
        self.asked = []
        self.appends = []
        self.page = 10_000
        self.failure = None
        self.is_held = lambda stream: False
        self.answered = lambda: None
        self._waiting: deque[Any] = deque()

    @property
    def owes_answers(self):
        return bool(self._waiting)

    @property
    def asked_first(self):
        """The name of the method with the next answer."""
        return self._waiting[0][0]

    def owes(self, method):
        """Return whether a call of a method waits for its answer."""
        return any(each[0] == method for each in self._waiting)

    def answer_next(self, error=None):
        """Answer the oldest call, or make it fail."""
        _, waiting = self._waiting.popleft()
        if error is None:
            waiting.callback(None)
        else:
            waiting.errback(error)
        self.answered()

    def answer(self, method):
        """Answer the oldest call of a method."""
        waiting = next(each for each in self._waiting if each[0] == method)
        self._waiting.remove(waiting)
        waiting[1].callback(None)
        self.answered()

    def epoch_of(self, stream):
        """Return the epoch of a stream that exists."""
        return self._streams[stream].epoch

    def has(self, stream):
        return stream in self._streams

    async def _turn(self, method):
        self.asked.append(method)
        if self.is_slow or self._waiting:
            waiting: Deferred[Any] = Deferred()
            self._waiting.append((method, waiting))
            await waiting
        if self.failure is not None:
            raise self.failure

    async def open_stream(self, stream, name):
        await self._turn("open_stream")
        return await super().open_stream(stream, name)

    async def append(self, entries):
        self.appends.append(len(entries))
        await self._turn("append")
        return await super().append(entries)

    async def read(self, stream, *, limit, **options):
        await self._turn("read")
        return await super().read(stream, limit=min(limit, self.page), **options)

    async def set_topic(self, stream, topic):
        await self._turn("set_topic")
        await super().set_topic(stream, topic)

    async def release(self, stream):
        await self._turn("release")
        if not self.is_held(stream):
            await super().release(stream)

    async def rooms(self, after="", *, limit):
        await self._turn("rooms")
        return await super().rooms(after, limit=limit)

    async def conversations(self, author, after="", *, limit):
        await self._turn("conversations")
        return await super().conversations(author, after, limit=limit)

    async def private_rooms(self):
        await self._turn("private_rooms")
        return await super().private_rooms()

    async def keep_private(self, room, *, instead_of):
        await self._turn("keep_private")
        return await super().keep_private(room, instead_of=instead_of)

    async def drop_private(self, room):
        await self._turn("drop_private")
        return await super().drop_private(room)


class UnorderedStore(SlowStore):
    """A store that does its calls at once, and answers them in any order that a test chooses.

    The stores of several daemons are like this: one daemon may read a message before the daemon
    that stored it gets the answer.
    """

    async def append(self, entries):
        outcomes = await MemoryStore.append(self, entries)
        await self._turn("append")
        return outcomes

    async def read(self, stream, *, limit, **options):
        page = await MemoryStore.read(self, stream, limit=min(limit, self.page), **options)
        await self._turn("read")
        return page
