"""`OpenRooms`: the rooms that this node has open, and their pushes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.backplane.interface import IBackplaneListener
from chatd.backplane.redis.merge import Merge
from chatd.backplane.redis.packing import EVENT_MARK, Push, read_push, unpack
from chatd.errors import StoreError
from chatd.storage.values import Head

__all__ = ["OpenRoom", "OpenRooms", "read_head"]

Fill = Callable[[str, int], Awaitable[tuple[Head, Sequence[bytes]]]]
"""Reads a stream after a place; returns its head, and the oldest messages after the place."""


class OpenRoom:
    """A room that this node has open, or is opening.

    Attributes:
        name: The name of the room.
        merge: The node's position; None until Redis has answered.
    """

    __slots__ = ("early", "is_filling", "merge", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.merge: Merge | None = None
        self.is_filling = False
        self.early = 0  # the last place that was pushed before there was a position

    @property
    def position(self) -> int:
        """The position; 0 for none."""
        return 0 if self.merge is None else self.merge.seq


class OpenRooms(dict[str, OpenRoom]):
    """The rooms that this node has open, by their streams.

    Every message of them passes the room's `Merge` here, and then goes to the listener.

    Args:
        node: The node's id.
        listener: Returns the listener.
        fill: Reads messages.
        event: Takes pushes of EVENTs.
    """

    _log = Logger()

    def __init__(
        self,
        node: str,
        listener: Callable[[], IBackplaneListener],
        fill: Fill,
        event: Callable[[bytes], None],
    ) -> None:
        super().__init__()
        self._node = node
        self._listener = listener
        self._fill = fill
        self._event = event

    def opened(self, stream: str, head: Head, first: int, elements: Sequence[bytes]) -> None:
        """Take the answer of an `open`: the head, and the messages up to it that are new here."""
        room = self.get(stream)
        if room is None:
            return
        room.name = head.name
        merge = room.merge
        if merge is None:
            merge = room.merge = Merge(head.epoch, head.seq)
            merge.announce(room.early)
            self._fill_if_needed(stream, room)
        elif merge.epoch != head.epoch:
            self._move(stream, room, head)
        else:
            self.caught_up(stream, head, first, elements)

    def caught_up(self, stream: str, head: Head, first: int, elements: Sequence[bytes]) -> None:
        """Take a head, and all kept messages up to it that are new here."""
        self.told(stream, head.epoch, first, elements)
        room = self.get(stream)
        if room is not None and room.merge is not None and room.merge.epoch == head.epoch:
            room.merge.announce(head.seq)
            self._fill_if_needed(stream, room)

    def told(self, stream: str, epoch: str, first: int, elements: Sequence[bytes]) -> None:
        """Take all kept messages that an answer brings, because this node was not told them yet.

        Args:
            stream: The stream.
            epoch: The epoch of the messages.
            first: The place of the first of them. Messages between this node's position and it are
                not kept any more.
            elements: The messages.
        """
        room = self.get(stream)
        if room is None or room.merge is None or room.merge.epoch != epoch:
            return
        if room.merge.seq < first - 1:
            room.merge.skip(first - 1)
            self._listener().missed(stream, first - 1)
        self._offer(stream, room.merge, first, elements)

    def appended(self, stream: str, epoch: str, last: int) -> None:
        """Note that this node appended the messages up to a place, and was told those before."""
        room = self.get(stream)
        if room is not None and room.merge is not None and room.merge.epoch == epoch:
            room.merge.skip(last)

    def pushed(self, data: bytes) -> None:
        """Take a push for a room.

        Raises:
            StoreError: It is not a push, or a message in it is none.
        """
        if data.startswith(EVENT_MARK):
            self._event(data)
            return
        push = read_push(data)
        room = self.get(push.stream)
        if room is None or push.node == self._node:  # the append returns them
            return
        if room.merge is None:
            room.early = max(room.early, push.last)
            return
        if room.merge.epoch != push.epoch:
            return
        room.merge.announce(push.last)
        try:
            self._tell(push, room.merge)
        finally:  # also reads what Redis keeps in place of a push with a wrong message
            self._fill_if_needed(push.stream, room)

    def _tell(self, push: Push, merge: Merge) -> None:
        # The position moves only when all messages are unpacked.
        messages = [unpack(each, seq) for seq, each in enumerate(push.elements, push.first)]
        if new := merge.offer(push.first, messages):
            self._listener().heard(push.stream, new)

    def _offer(self, stream: str, merge: Merge, first: int, elements: Sequence[bytes]) -> None:
        """Take kept messages; a record that is no message is left out."""
        place = merge.seq
        messages = []
        for seq, each in enumerate(merge.offer(first, elements), place + 1):
            try:
                messages.append(unpack(each, seq))
            except StoreError as error:
                told = "message {seq} of {stream} is left out: {error}"
                self._log.error(told, seq=seq, stream=stream, error=error)
        if messages:
            self._listener().heard(stream, messages)

    def _fill_if_needed(self, stream: str, room: OpenRoom) -> None:
        if room.merge is not None and room.merge.has_gap and not room.is_filling:
            room.is_filling = True
            Deferred.fromCoroutine(self._fill_gap(stream, room)).addErrback(_only_lost)

    async def _fill_gap(self, stream: str, room: OpenRoom) -> None:
        try:
            while self.get(stream) is room and (merge := room.merge) is not None and merge.has_gap:
                after, known = merge.seq, merge.known
                head, elements = await self._fill(stream, after)
                if self.get(stream) is not room or room.merge is not merge:
                    continue
                if head.epoch != merge.epoch or head.seq < after:
                    self._move(stream, room, head)
                    continue
                self.told(stream, head.epoch, max(after + 1, head.oldest), elements)
                if merge.seq >= head.seq:
                    merge.settle(known)
        finally:
            room.is_filling = False

    def _move(self, stream: str, room: OpenRoom, head: Head) -> None:
        room.merge = Merge(head.epoch, head.seq)
        self._listener().moved(stream, head)


def _only_lost(failure: Failure) -> None:
    """Ignore a failure of the link: the next attachment compares every room."""
    failure.trap(StoreError)


def read_head(reply: Sequence[Any]) -> Head:
    """Return the head that a script returns."""
    name, epoch, seq, oldest, topic, last_id = reply
    return Head(
        name=name.decode(),
        epoch=epoch.decode(),
        seq=seq,
        oldest=oldest,
        topic=topic.decode(),
        last_id=None if last_id is None else last_id.decode(),
    )
