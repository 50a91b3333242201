"""`Streams`: the part of the backplane that is a store of messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from chatd.backplane.interface import IBackplaneListener
from chatd.backplane.redis import keys
from chatd.backplane.redis.attachment import Attachment
from chatd.backplane.redis.batch import Batch, batches_of
from chatd.backplane.redis.connections import all_of, is_caused_by_loss
from chatd.backplane.redis.directmessages import DirectMessages
from chatd.backplane.redis.link import Link
from chatd.backplane.redis.openrooms import OpenRoom, OpenRooms, read_head
from chatd.backplane.redis.packing import unpack
from chatd.backplane.redis.script import load
from chatd.backplane.redis.untold import Untold
from chatd.errors import StoreError
from chatd.storage.paging import read_page
from chatd.storage.streamkeys import is_room
from chatd.storage.values import (
    DirectHead,
    Entry,
    Head,
    Outcome,
    Page,
    Retention,
    StreamPosition,
)

__all__ = ["MAX_PUSH_BYTES", "Streams"]

MAX_PUSH_BYTES = 64 * 1024
"""The most bytes of a push's messages; a push only announces larger messages, which nodes read."""

_OPEN, _APPEND, _READ, _TOPIC = map(load, ("open", "append", "read", "topic"))
_RELEASE, _HEADS, _EXPIRE = map(load, ("release", "heads", "expire"))
_FILL_MESSAGES, _FILL_BYTES = 500, 1024 * 1024
_EXPIRED_AT_ONCE = 100  # of `expire.lua`
_AFTER, _RESUME, _BEFORE, _NEWEST = "after", "resume", "before", "newest"  # modes of `read.lua`
_MAX_PLACE = 2**53 - 1  # beyond, Lua's numbers are not exact


class Streams:
    """Keeps the messages of all streams in Redis.

    Args:
        link: The link.
        retention: How much of a stream is kept.
        event: Takes pushes of EVENTs.
    """

    def __init__(self, link: Link, retention: Retention, event: Callable[[bytes], None]) -> None:
        self.listener: IBackplaneListener | None = None
        self._link = link
        self._retention = retention
        self._rooms = OpenRooms(link.node, self._heard_by, self._fill, event)
        self._direct = DirectMessages(self._heard_by, self._fill)
        self._untold = Untold()
        self._released: set[str] = set()  # not known to Redis yet

    async def attach(self, attachment: Attachment) -> None:
        """Compare every open room, and let go of the rooms that were released meanwhile."""
        waiting: list[Deferred[Any]] = []
        for stream, room in list(self._rooms.items()):
            if room.merge is not None:
                compared = self._compare(attachment, stream, room)
                waiting.append(Deferred.fromCoroutine(compared))
        for stream in list(self._released):
            released = self._let_go(attachment, stream)
            waiting.append(Deferred.fromCoroutine(released))
        await all_of(waiting)

    async def _compare(self, attachment: Attachment, stream: str, room: OpenRoom) -> None:
        head = await self._open(attachment, stream, room)
        self._heard_by().stands(stream, head)

    async def leave(self, attachment: Attachment) -> None:
        """Let go of every open room."""
        released = (self._let_go(attachment, stream) for stream in list(self._rooms))
        await all_of([Deferred.fromCoroutine(each) for each in released])

    async def open_stream(self, stream: str, name: str) -> Head:
        """See `IMessageStore`."""
        if not is_room(stream):
            attachment = await self._link.attached()
            return await self._open(attachment, stream, OpenRoom(name), is_held=False)
        room = self._rooms.get(stream)
        if room is None:
            room = self._rooms[stream] = OpenRoom(name)
        try:
            if room.merge is None:  # heard first, so that there is no gap after the answer
                await self._link.on_push(keys.room_channel(stream), self._rooms.pushed)
            attachment = await self._link.attached()
            head = await self._open(attachment, stream, room)
        except StoreError:
            if room.merge is None and self._rooms.get(stream) is room:
                self._forget(stream)
                self._released.add(stream)  # Redis may have opened it
            raise
        self._released.discard(stream)
        return head

    async def append(self, entries: Sequence[Entry]) -> list[Outcome]:
        """See `IMessageStore`."""
        if not entries:
            return []
        # Redis knows the ids of what it has stored.
        return await self._link.repeat_if_lost(lambda attachment: self._append(attachment, entries))

    async def _append(self, attachment: Attachment, entries: Sequence[Entry]) -> list[Outcome]:
        batches = batches_of(entries)
        args: list[Any] = [*self._bounds(), MAX_PUSH_BYTES]
        for stream, batch in batches.items():
            args += stream, self._position(stream), *batch.args()
        names = [keys.key("m", stream) for stream in batches]
        try:
            time, streams, work = await attachment.call(_APPEND, names, args)
        except StoreError as error:
            if is_caused_by_loss(error):
                self._note_untold(batches)
            raise
        self._link.saw_work(work)
        stamp = float(time)
        for (stream, batch), reply in zip(batches.items(), streams, strict=True):
            epoch, first, told_from, told, repeats = reply
            untold = self._untold.take(stream, batch.keys)
            last = batch.answered(first, stamp, repeats, untold)
            if told_from:
                self._rooms.told(stream, epoch.decode(), told_from, told)
                self._rooms.appended(stream, epoch.decode(), last)
        return [batches[entry.stream].outcome(entry) for entry in entries]

    def _note_untold(self, batches: Mapping[str, Batch]) -> None:
        for stream, batch in batches.items():
            if not is_room(stream):
                self._untold.add(stream, batch.keys)

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
        attachment = await self._link.attached()
        epoch = id = ""
        if isinstance(after, StreamPosition):
            mode, at = _RESUME, after.seq
            epoch, id = after.epoch or "", after.id or ""
        elif after is not None:
            mode, at = _AFTER, after
        else:
            mode, at = (_NEWEST, 0) if before is None else (_BEFORE, before)
        at = max(-1, min(at, _MAX_PLACE))
        asked = mode, at, epoch, id, limit, max_bytes
        # The position is taken when the question is sent, not before it waits.
        reply = await self._link.questions.ask(
            lambda: self._read(attachment, stream, self._position(stream), asked)
        )
        head, id_there, elements, told_from, told = reply
        if told_from:
            self._rooms.caught_up(stream, head, told_from, told)
        return read_page(
            head,
            after,
            before,
            id_at=lambda seq: id_there,
            up=lambda start: [unpack(each, seq) for seq, each in enumerate(elements, start)],
            down=lambda end: [unpack(each, end - n) for n, each in enumerate(elements, 1)],
        )

    async def set_topic(self, stream: str, topic: str) -> None:
        """See `IMessageStore`."""
        args = stream, self._max_age, topic, ""
        self._link.saw_work(await self._link.call(_TOPIC, args=args))

    async def release(self, stream: str) -> None:
        """See `IMessageStore`."""
        if stream in self._rooms:
            self._forget(stream)
            self._released.add(stream)
        attachment = await self._link.attached()
        if stream not in self._rooms:
            await self._let_go(attachment, stream)

    async def rooms(self, after: str = "", *, limit: int) -> list[Head]:
        """See `IMessageStore`."""
        return [head for _, head in await self._heads(keys.key("rooms"), after, limit)]

    async def conversations(self, author: str, after: str = "", *, limit: int) -> list[DirectHead]:
        """See `IMessageStore`."""
        found = await self._heads(keys.key("d", author), after, limit, author)
        return [DirectHead(other, head) for other, head in found]

    async def expire(self) -> None:
        """See `IMessageStore`."""
        names = [keys.key("ages"), keys.key("empty")]
        cursor: int | bytes = 0
        while True:
            count, cursor = await self._link.call(_EXPIRE, names, (self._max_age, cursor))
            if count < _EXPIRED_AT_ONCE and int(cursor) == 0:
                return

    # Redis

    @property
    def _max_age(self) -> str:
        return repr(self._retention.max_age_s)

    def _bounds(self) -> tuple[int, int, str]:
        retention = self._retention
        return retention.max_messages, retention.max_bytes, self._max_age

    def _position(self, stream: str) -> int | str:
        """Return this node's position in an open stream; empty for others."""
        room = self._rooms.get(stream)
        return "" if room is None else room.position

    async def _open(
        self, attachment: Attachment, stream: str, room: OpenRoom, *, is_held: bool = True
    ) -> Head:
        epoch = "" if room.merge is None else room.merge.epoch
        args = stream, room.name, self._max_age, int(is_held), epoch, room.position
        reply = await attachment.call(_OPEN, args=args)
        head = read_head(reply[0])
        if is_held:
            self._rooms.opened(stream, head, reply[1], reply[2])
        return head

    async def _read(
        self, attachment: Attachment, stream: str, position: int | str, asked: tuple[Any, ...]
    ) -> tuple[Head, str | None, list[bytes], int, list[bytes]]:
        args = stream, self._max_age, position, *asked
        reply = await attachment.call(_READ, args=args)
        head, id, elements, told_from, told = reply
        return read_head(head), None if id is None else id.decode(), elements, told_from, told

    async def _fill(self, stream: str, after: int) -> tuple[Head, Sequence[bytes]]:
        attachment = await self._link.attached()
        asked = _AFTER, after, "", "", _FILL_MESSAGES, _FILL_BYTES
        head, _, elements, _, _ = await self._read(attachment, stream, "", asked)
        return head, elements

    async def _let_go(self, attachment: Attachment, stream: str) -> None:
        await attachment.call(_RELEASE, args=(stream, self._max_age))
        self._released.discard(stream)

    async def _heads(
        self, index: str, after: str, limit: int, author: str = ""
    ) -> Iterator[tuple[str, Head]]:
        args = self._max_age, after, limit, author
        found = await self._link.ask(_HEADS, [index], args)
        return ((name.decode(), read_head(head)) for name, head in found)

    def _forget(self, stream: str) -> None:
        del self._rooms[stream]
        self._link.off_push(keys.room_channel(stream))

    # Pushes

    def _heard_by(self) -> IBackplaneListener:
        assert self.listener is not None
        return self.listener

    def direct_pushed(self, data: bytes) -> None:
        """Take a push of direct messages."""
        self._direct.pushed(data)
