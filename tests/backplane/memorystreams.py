"""The messages of a backplane in memory, as one of its nodes appends, reads and hears them."""

from __future__ import annotations

from typing import Any

import msgspec

from chatd.chat.names import fold
from chatd.errors import RequestError
from chatd.storage.memory import MemoryStore
from chatd.storage.streamkeys import direct_names, is_room
from tests.backplane.memorynode import MemoryNode, now


class MemoryStreams(MemoryNode):
    """The streams as a node sees them.

    Attributes:
        positions: The epoch and the place of each open stream.
        unheard: The direct messages of the time without a link.
    """

    def __init__(self, shared):
        super().__init__(shared)
        self.positions = {}
        self.unheard: list[Any] = []

    async def open_stream(self, stream, name):
        await self.ready("open_stream")
        head = await self.shared.store.open_stream(stream, name)
        if is_room(stream):
            if stream in self.positions:
                self.fill(stream)
            self.positions[stream] = head.epoch, head.seq
        return head

    async def append(self, entries):
        await self.ready("append")
        stamped = [
            msgspec.structs.replace(
                entry, header=msgspec.structs.replace(entry.header, time=self.shared.unix_time())
            )
            for entry in entries
        ]
        outcomes = await self.shared.store.append(stamped)
        for entry, outcome in zip(entries, outcomes, strict=True):
            if not isinstance(outcome, RequestError):
                seq = outcome.message.seq
                self.fill(entry.stream, seq - outcome.is_new)
                if outcome.is_new:
                    self._tell_others(entry.stream, outcome.message)
        return outcomes

    def _tell_others(self, stream, message):
        if stream in self.positions:
            self.positions[stream] = self.positions[stream][0], message.seq
        for node in self.shared.nodes:
            if node is not self:
                if direct_names(stream)[0] is None:
                    node.push(lambda node=node: node.hear(stream, message))
                elif node.is_up:
                    node.push(lambda node=node: node.listener.heard_direct(message))
                else:
                    node.unheard.append(message)

    async def read(self, stream, **options):
        await self.ready("read")
        page = await self.shared.store.read(stream, **options)
        self.fill(stream)
        return page

    async def set_topic(self, stream, topic):
        await self.ready("set_topic")
        await self.shared.store.set_topic(stream, topic)

    async def release(self, stream):
        await self.ready("release")
        self.positions.pop(stream, None)
        if not self.shared.is_open(stream):
            await self.shared.store.release(stream)

    async def rooms(self, after="", *, limit):
        await self.ready("rooms")
        return await self.shared.store.rooms(after, limit=limit)

    async def conversations(self, author, after="", *, limit):
        await self.ready("conversations")
        return await self.shared.store.conversations(author, after, limit=limit)

    async def private_rooms(self):
        await self.ready("private_rooms")
        return await self.shared.store.private_rooms()

    async def keep_private(self, room, *, instead_of):
        await self.ready("keep_private")
        return await self.shared.store.keep_private(room, instead_of=instead_of)

    async def drop_private(self, room):
        await self.ready("drop_private")
        return await self.shared.store.drop_private(room)

    async def expire(self):
        await self.ready("expire")
        await self.shared.store.expire()

    # What others appended

    def hear(self, stream, message):
        """Hear a message of another node, and before it what was not heard yet."""
        self.fill(stream, message.seq)

    def fill(self, stream, last=None):
        """Hear what the node has not heard of an open stream, up to a place or to its end."""
        if stream not in self.positions:
            return
        epoch, seq = self.positions[stream]
        most = 10_000 if last is None else last - seq
        if most <= 0:
            return
        page = now(
            MemoryStore.read(self.shared.store, stream, after=seq, limit=most, max_bytes=2**30)
        )
        if page.head.epoch != epoch:
            self.positions[stream] = page.head.epoch, page.head.seq
            self.listener.moved(stream, page.head)
            return
        if page.head.oldest > seq + 1:
            self.listener.missed(stream, page.head.oldest - 1)
        if page.messages:
            self.positions[stream] = epoch, page.messages[-1].seq
            self.listener.heard(stream, page.messages)

    def compare_rooms(self):
        """Hear what the node has not heard of its open rooms, and where they stand."""
        for stream in list(self.positions):
            self.fill(stream)
            self.listener.stands(stream, self.shared.store._streams[stream].head)

    def hear_directs(self, *, had_lease):
        """Hear the direct messages of the meantime; without a lease, only that there were some."""
        unheard, self.unheard = self.unheard, []
        if had_lease:
            for message in unheard:
                self.listener.heard_direct(message)
            return
        told = {fold(name) for each in unheard for name in (each.sender, each.to)}
        here = {fold(name) for _, name, _, _ in self.listener.present()}
        self.listener.directs_missed(sorted(told & here))
