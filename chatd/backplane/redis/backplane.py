"""`RedisBackplane`: keeps in Redis what several daemons share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from chatd.backplane.interface import (
    BACKPLANE_RETENTION,
    Found,
    IBackplane,
    IBackplaneListener,
    Inside,
    KeptBan,
)
from chatd.backplane.redis.bans import Bans
from chatd.backplane.redis.connections import Dial
from chatd.backplane.redis.link import Link
from chatd.backplane.redis.people import People
from chatd.backplane.redis.privaterooms import PrivateRooms
from chatd.backplane.redis.streams import Streams
from chatd.backplane.redis.times import Times
from chatd.storage.privateroom import PrivateRoom
from chatd.storage.values import (
    DirectHead,
    Durability,
    Entry,
    Head,
    Outcome,
    Page,
    Retention,
    StreamPosition,
)

__all__ = ["RedisBackplane"]


@implementer(IBackplane)
class RedisBackplane:
    """Keeps what several daemons share in Redis.

    Its parts are objects of their own, which have the link in common.

    Args:
        reactor: Measures times.
        dial: Makes a connection to Redis.
        retention: How much of a stream is kept.
        fold: Returns the form of a name in which names are compared.
        details: Returns the details of this node, for the others; called at each attachment.
        durability: What a stop of Redis may cost, checked at each heartbeat; None for any loss.
        times: The times of the link.
        unix_time: The clock of all scripts in place of that of Redis, for tests.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        dial: Dial,
        retention: Retention = BACKPLANE_RETENTION,
        *,
        fold: Callable[[str], str] = str.casefold,
        details: Callable[[], bytes] = bytes,
        durability: Durability | None = None,
        times: Times | None = None,
        unix_time: Callable[[], float] | None = None,
    ) -> None:
        self.link = Link(
            reactor,
            dial,
            details=details,
            durability=durability,
            times=times,
            unix_time=unix_time,
        )
        self._streams = Streams(self.link, retention, self._event_pushed)
        self._private_rooms = PrivateRooms(self.link)
        self._bans = Bans(self.link)
        self._people = People(
            self.link, reactor, fold, retention.max_age_s, self._streams.direct_pushed
        )
        self._hears_others: Callable[[dict[str, bytes]], None] = lambda others: None
        self.link.others_changed = self._others_changed
        # The parts that do work at each attachment, in this order.
        self.link.parts += (self._streams, self._people)

    def listen(self, listener: IBackplaneListener) -> None:
        """See `IBackplane`."""
        self.link.linked = listener.linked
        self._streams.listener = listener
        self._people.listen(listener)

    def hear_others(self, changed: Callable[[dict[str, bytes]], None]) -> None:
        """Call a function with the other nodes' details, by node, whenever they change."""
        self._hears_others = changed

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

    async def keep_private(self, room: PrivateRoom, *, instead_of: PrivateRoom | None) -> bool:
        """See `IMessageStore`."""
        return await self._private_rooms.change(instead_of, room)

    async def drop_private(self, room: PrivateRoom) -> bool:
        """See `IMessageStore`."""
        return await self._private_rooms.change(room, None)

    async def expire(self) -> None:
        """See `IMessageStore`."""
        await self._streams.expire()

    # Names

    async def claim(
        self, names: Sequence[str], session: str, *, is_account: bool, bans: Sequence[str]
    ) -> str:
        """See `IBackplane`."""
        return await self._people.names.claim(names, session, is_account=is_account, bans=bans)

    def depart(self, session: str, name: str) -> None:
        """See `IBackplane`."""
        self._people.names.depart(session, name)

    async def set_away(self, session: str, name: str, text: str) -> None:
        """See `IBackplane`."""
        await self._people.names.set_away(session, name, text)

    async def find(self, names: Sequence[str]) -> list[Found]:
        """See `IBackplane`."""
        return await self._people.names.find(names)

    # Presence

    def enter(self, stream: str, name: str, *, is_silent: bool = False) -> None:
        """See `IBackplane`."""
        self._people.presence.enter(stream, name, is_silent=is_silent)

    def quit(
        self, stream: str, name: str, *, why: Mapping[str, str], is_silent: bool = False
    ) -> None:
        """See `IBackplane`."""
        self._people.presence.quit(stream, name, why=why, is_silent=is_silent)

    async def count(self, streams: Sequence[str]) -> list[int]:
        """See `IBackplane`."""
        return await self._people.presence.count(streams)

    async def inside(self, stream: str, after: str, *, limit: int) -> Inside:
        """See `IBackplane`."""
        return await self._people.presence.inside(stream, after, limit=limit)

    async def peopled(self, after: str = "", *, limit: int) -> list[tuple[Head, int]]:
        """See `IBackplane`."""
        return await self._people.presence.peopled(after, limit=limit)

    # Bans

    async def bans(self) -> list[KeptBan]:
        """See `IBackplane`."""
        return await self._bans.all()

    async def keep_ban(self, ban: KeptBan) -> None:
        """See `IBackplane`."""
        await self._bans.keep(ban)

    async def drop_ban(self, key: str) -> bool:
        """See `IBackplane`."""
        return await self._bans.drop(key)

    # Words between nodes

    def tell_room(self, stream: str, event: Mapping[str, Any], *, but: str = "") -> None:
        """See `IBackplane`."""
        self._people.presence.tell_room(stream, event, but=but)

    async def tell_topic(self, stream: str, event: Mapping[str, Any]) -> None:
        """See `IBackplane`."""
        await self._people.presence.tell_topic(stream, event)

    def tell_name(self, name: str, event: Mapping[str, Any]) -> None:
        """See `IBackplane`."""
        self._people.words.tell_name(name, event)

    async def ask_all(self, question: Mapping[str, Any]) -> list[dict[str, Any]]:
        """See `IBackplane`."""
        return await self._people.words.ask_all(question)

    def _others_changed(self, others: dict[str, bytes]) -> None:
        self._people.words.others_changed(list(others))
        self._hears_others(others)

    def _event_pushed(self, data: bytes) -> None:
        self._people.presence.pushed(data)
