"""`Presence`: which names are in which rooms, on all nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from chatd.backplane.interface import IBackplaneListener, Inside
from chatd.backplane.redis import keys
from chatd.backplane.redis.attachment import Attachment, in_parts
from chatd.backplane.redis.link import Link
from chatd.backplane.redis.openrooms import read_head
from chatd.backplane.redis.packing import EVENT_MARK, WRONG_FORMAT, not_a_push
from chatd.backplane.redis.script import load
from chatd.storage.values import Head

__all__ = ["Presence"]

_ENTER, _QUIT, _COUNT = map(load, ("enter", "quit", "count"))
_INSIDE, _PEOPLED = map(load, ("inside", "peopled"))
_TELL, _TOPIC = map(load, ("tellroom", "topic"))
_SILENT = -1

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[str, str, dict[str, Any]]).decode


class Presence:
    """Keeps the names in each room; the scripts announce arrivals and departures.

    Args:
        link: The link.
        fold: Returns the form of a name in which names are compared.
        max_age_s: The highest age of a message, in seconds.
    """

    def __init__(self, link: Link, fold: Callable[[str], str], max_age_s: float) -> None:
        self.listener: IBackplaneListener | None = None
        self._link = link
        self._fold = fold
        self._max_age = repr(max_age_s)

    @property
    def limit(self) -> int:
        """The most names of a room that announces arrivals and departures."""
        assert self.listener is not None
        return self.listener.presence_limit()

    def enter(self, stream: str, name: str, *, is_silent: bool = False) -> None:
        """See `IBackplane`."""
        limit = _SILENT if is_silent else self.limit
        self._link.cast(_ENTER, args=(limit, stream, self._fold(name), name))

    def quit(
        self, stream: str, name: str, *, why: Mapping[str, str], is_silent: bool = False
    ) -> None:
        """See `IBackplane`."""
        limit = _SILENT if is_silent else self.limit
        args = limit, _encode(dict(why)), stream, self._fold(name), name
        self._link.cast(_QUIT, args=args)

    async def count(self, streams: Sequence[str]) -> list[int]:
        """See `IBackplane`."""
        counts: list[int] = await self._link.ask(_COUNT, args=streams)
        return counts

    async def inside(self, stream: str, after: str, *, limit: int) -> Inside:
        """See `IBackplane`."""
        count, found = await self._link.ask(_INSIDE, args=(stream, after, limit))
        names = [(key.decode(), name.decode(), away.decode()) for key, name, away in found]
        return Inside(names, count)

    async def peopled(self, after: str = "", *, limit: int) -> list[tuple[Head, int]]:
        """See `IBackplane`."""
        args = self._max_age, after, limit
        found = await self._link.ask(_PEOPLED, [keys.key("peopled")], args)
        return [(read_head(head), count) for head, count in found]

    def tell_room(self, stream: str, event: Mapping[str, Any], *, but: str = "") -> None:
        """See `IBackplane`."""
        push = _packed(stream, but, event)
        self._link.cast(_TELL, args=(stream, push))

    async def tell_topic(self, stream: str, event: Mapping[str, Any]) -> None:
        """See `IBackplane`."""
        args = stream, self._max_age, event["topic"], _packed(stream, "", event)
        self._link.saw_work(await self._link.call(_TOPIC, args=args))

    def pushed(self, data: bytes) -> None:
        """Take a push that begins with `EVENT_MARK`.

        Raises:
            StoreError: It is not a push.
        """
        assert self.listener is not None
        try:
            stream, but, event = _decode(memoryview(data)[len(EVENT_MARK) :])
        except WRONG_FORMAT as error:
            raise not_a_push(error) from error
        self.listener.heard_event(stream, event, but)

    async def attach(self, attachment: Attachment, kept: Sequence[bytes]) -> None:
        """Enter the rooms again, and quit the rooms in which this node no longer has a session.

        Args:
            attachment: The attachment.
            kept: The names of this node in rooms in Redis: stream, NUL and folded name.
        """
        assert self.listener is not None
        inside = {f"{s}\0{self._fold(name)}": (s, name) for s, name in self.listener.rooms_inside()}
        there = {each.decode() for each in kept}
        gone = ((*each.split("\0"), "") for each in there - inside.keys())
        for part in in_parts(gone):
            args: list[str | int | bytes] = [self.limit, _encode({}), *_joined(part)]
            await attachment.call(_QUIT, args=args)
        # All of them: Redis may have refused a command after it noted that a name is there.
        for names in in_parts((s, self._fold(n), n) for s, n in inside.values()):
            await attachment.call(_ENTER, args=(self.limit, *_joined(names)))


def _joined(groups: Iterable[Iterable[str]]) -> list[str]:
    return [text for group in groups for text in group]


def _packed(stream: str, but: str, event: Mapping[str, Any]) -> bytes:
    """Return the push of an EVENT for a room."""
    return EVENT_MARK + _encode((stream, but, dict(event)))
