"""`DirectMessages`: tells the listener the direct messages that other nodes appended, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from chatd.backplane.interface import IBackplaneListener
from chatd.backplane.redis.openrooms import Fill
from chatd.backplane.redis.packing import Push, read_push, unpack
from chatd.errors import StoreError
from chatd.storage.streamkeys import direct_names

__all__ = ["DirectMessages"]


class DirectMessages:
    """Takes the pushes of direct messages.

    Large messages are only announced, and must be read. Until that is done, the later pushes of the
    same stream wait.

    Args:
        listener: Returns the listener.
        fill: Reads messages.
    """

    _log = Logger()

    def __init__(self, listener: Callable[[], IBackplaneListener], fill: Fill) -> None:
        self._listener = listener
        self._fill = fill
        self._waiting: dict[str, deque[Push]] = {}  # of the streams that are being read

    def pushed(self, data: bytes) -> None:
        """Take a push."""
        push = read_push(data)
        waiting = self._waiting.get(push.stream)
        if waiting is not None:
            waiting.append(push)
        elif push.elements:
            self._tell(push.first, push.elements)
        else:
            self._waiting[push.stream] = deque([push])
            Deferred.fromCoroutine(self._tell_waiting(push.stream))

    def _tell(self, first: int, elements: Sequence[bytes]) -> None:
        """Tell messages; a record that is no message is left out."""
        for seq, each in enumerate(elements, first):
            try:
                message = unpack(each, seq)
            except StoreError as error:
                self._log.error("a direct message is left out: {error}", error=error)
            else:
                self._listener().heard_direct(message)

    async def _tell_waiting(self, stream: str) -> None:
        """Tell all that waits of a stream."""
        waiting = self._waiting[stream]
        while waiting:
            push = waiting.popleft()
            if push.elements:
                self._tell(push.first, push.elements)
            else:
                await self._read(push)
        del self._waiting[stream]

    async def _read(self, push: Push) -> None:
        """Read the messages that a push announced, and tell them.

        If they cannot be read now, such as when the link is lost, the listener hears that the names
        of the stream may have missed messages.
        """
        first = push.first
        while first <= push.last:
            try:
                head, elements = await self._fill(push.stream, first - 1)
            except StoreError:
                names = [name for name in direct_names(push.stream) if name is not None]
                self._listener().directs_missed(names)
                return
            if head.epoch != push.epoch or not elements:
                return
            first = max(first, head.oldest)
            part = elements[: max(0, push.last - first + 1)]  # later ones have their own push
            self._tell(first, part)
            first += len(part)
