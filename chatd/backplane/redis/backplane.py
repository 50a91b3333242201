"""`RedisBackplane`: what several daemons share, in Redis."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from chatd.backplane.interface import IBackplaneListener
from chatd.backplane.redis.connections import Dial
from chatd.backplane.redis.link import Link
from chatd.backplane.redis.privaterooms import PrivateRooms
from chatd.backplane.redis.streams import Streams
from chatd.backplane.redis.times import Times
from chatd.storage.interface import IMessageStore
from chatd.storage.privateroom import PrivateRoom
from chatd.storage.values import DirectHead, Entry, Head, Outcome, Page, Retention, StreamPosition

__all__ = ["REDIS_RETENTION", "RedisBackplane"]

REDIS_RETENTION = Retention(max_bytes=4 * 1024 * 1024)
"""The default retention of a stream, since all of it is in the memory of Redis."""


@implementer(IMessageStore)
class RedisBackplane:
    """Keeps what several daemons share in Redis.

    Its parts are objects of their own, which have the link in common.

    Args:
        reactor: Measures times.
        dial: Makes a connection to Redis.
        retention: How much of a stream is kept.
        details: What the other nodes can read of this one.
        times: The times of the link.
        unix_time: The clock of all scripts in place of that of Redis, for tests.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        dial: Dial,
        retention: Retention = REDIS_RETENTION,
        *,
        details: bytes = b"",
        times: Times | None = None,
        unix_time: Callable[[], float] | None = None,
    ) -> None:
        self.link = Link(reactor, dial, details=details, times=times, unix_time=unix_time)
        self._streams = Streams(self.link, retention)
        self._private_rooms = PrivateRooms(self.link)
        # `parts` are those that do work at each attachment, in this order. Here follow the parts
        # for names, presence, bans and words.
        self.link.parts.append(self._streams)

    def listen(self, listener: IBackplaneListener) -> None:
        """See `IBackplane`."""
        self.link.linked = listener.linked
        self._streams.listener = listener

    def hear_others(self, changed: Callable[[dict[str, bytes]], None]) -> None:
        """Have a function called with the other nodes' details, by node, whenever they change."""
        self.link.others_changed = changed

    def open(self) -> None:
        """See `IMessageStore`; `first_attempt` tells whether it succeeds."""
        self.link.start()

    def first_attempt(self) -> Awaitable[None]:
        """Wait for the first attempt to attach.

        Raises:
            StoreError: It failed.
        """
        return self.link.first_attempt()

    async def close(self) -> None:
        """See `IMessageStore`."""
        await self.link.close()

    # Messages

    async def open_stream(self, stream: str, name: str) -> Head:
        """See `IMessageStore`."""
        return await self._streams.open_stream(stream, name)

    async def append(self, entries: Sequence[Entry]) -> list[Outcome]:
        """See `IMessageStore`."""
        return await self._streams.append(entries)

    async def read(
        self,
        stream: str,
        *,
        after: int | StreamPosition | None = None,
        before: int | None = None,
        limit: int,
        max_bytes: int,
    ) -> Page:
        """See `IMessageStore`."""
        return await self._streams.read(
            stream, after=after, before=before, limit=limit, max_bytes=max_bytes
        )

    async def set_topic(self, stream: str, topic: str) -> None:
        """See `IMessageStore`."""
        await self._streams.set_topic(stream, topic)

    async def release(self, stream: str) -> None:
        """See `IMessageStore`."""
        await self._streams.release(stream)

    async def rooms(self, after: str = "", *, limit: int) -> list[Head]:
        """See `IMessageStore`."""
        return await self._streams.rooms(after, limit=limit)

    async def conversations(self, author: str, after: str = "", *, limit: int) -> list[DirectHead]:
        """See `IMessageStore`."""
        return await self._streams.conversations(author, after, limit=limit)

    async def private_rooms(self) -> list[PrivateRoom]:
        """See `IMessageStore`."""
        return await self._private_rooms.all()

    async def keep_private(self, room: PrivateRoom) -> None:
        """See `IMessageStore`."""
        await self._private_rooms.keep(room)

    async def drop_private(self, key: str) -> None:
        """See `IMessageStore`."""
        await self._private_rooms.drop(key)

    async def expire(self) -> None:
        """See `IMessageStore`."""
        await self._streams.expire()
