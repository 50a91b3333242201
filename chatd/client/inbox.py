"""`Inbox`: received messages that the program has not taken yet, bounded in bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.defer import Deferred

from chatd.client.overflow import Behind, Overflow
from chatd.errors import SessionEnded
from chatd.transport.promise import Promise
from chatd.wire.messages import Message

__all__ = ["MAX_UNREAD", "REFILL_BELOW", "Inbox"]

MAX_UNREAD = 8 * 1024 * 1024
"""Limit on the messages that wait for the program, in bytes."""
REFILL_BELOW = MAX_UNREAD // 2
"""Size below which the inbox wants the messages that wait at the server, in bytes."""
_MESSAGE_OVERHEAD = 512
"""Size of a waiting message beyond its content, in bytes."""


class Inbox:
    """Keeps messages until the program takes them.

    Messages beyond the limit stay at the server: the inbox notes their places in its overflow, and
    asks for them as soon as the program has taken enough.

    Attributes:
        overflow: The rooms and people whose messages wait at the server.
        refill: Called when the inbox wants these messages; None while there is no session.
    """

    def __init__(self) -> None:
        self.overflow = Overflow()
        self.refill: Callable[[], None] | None = None
        self._messages: deque[Message] = deque()
        self._bytes = 0
        self._is_losing = False
        self._takers: deque[Deferred[None]] = deque()
        self._end_reason: SessionEnded | None = None

    @property
    def is_closed(self) -> bool:
        """Whether no more messages will come."""
        return self._end_reason is not None

    def put(self, message: Message) -> bool:
        """Take a new message: keep it, or leave it to the server.

        Returns:
            False if the inbox is full and the server does not keep the message. Messages are then
            lost until the program takes a message.
        """
        if self.overflow and self.overflow.holds(message):
            return True
        if self._messages and self._bytes + _size(message) > MAX_UNREAD:
            if self.overflow.add(message) or self._is_losing:
                return True
            self._is_losing = True
            return False
        self.keep(message)
        return True

    def keep(self, message: Message) -> None:
        """Keep a message, whatever the size of the inbox."""
        self._messages.append(message)
        self._bytes += _size(message)
        self._wake_takers()

    def to_fetch(self) -> Behind | None:
        """Return the messages to fetch next; None if none wait, or the inbox has enough."""
        if self._bytes >= REFILL_BELOW or self.is_closed:
            return None
        return self.overflow.first()

    def close(self, end_reason: SessionEnded) -> None:
        """End `take` after the messages that are kept."""
        self._end_reason = end_reason
        self._wake_takers()

    def reopen(self) -> None:
        """Take messages again after `close`; the program still gets those that are kept."""
        self._end_reason = None

    async def take(self) -> Message:
        """Return the oldest message; wait for a message if there is none.

        Raises:
            StopAsyncIteration: No more messages will come: the session ended cleanly.
            SessionEnded: No more messages will come: the session was lost.
        """
        while not self._messages:
            if self._end_reason is not None:
                if self._end_reason.is_clean:
                    raise StopAsyncIteration
                raise self._end_reason.again()
            taker: Promise[None] = Promise(self._takers.remove)
            self._takers.append(taker)
            await taker
        self._is_losing = False
        message = self._messages.popleft()
        self._bytes -= _size(message)
        if self.overflow and self.refill is not None and self.to_fetch() is not None:
            self.refill()
        return message

    def _wake_takers(self) -> None:
        takers, self._takers = self._takers, deque()  # a taker that finds nothing waits again
        while takers:
            takers.popleft().callback(None)


def _size(message: Message) -> int:
    return len(message.content) + _MESSAGE_OVERHEAD
