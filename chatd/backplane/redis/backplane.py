"""`RedisBackplane`: what several daemons share, in Redis."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.interfaces import IReactorTime

from chatd.backplane.interface import IBackplaneListener
from chatd.backplane.redis.connections import Dial
from chatd.backplane.redis.link import Link, Times

__all__ = ["RedisBackplane"]


class RedisBackplane:
    """Keeps what several daemons share in Redis.

    Its parts are objects of their own, which have the link in common.

    Args:
        reactor: Measures times.
        dial: Makes a connection to Redis.
        details: What the other nodes can read of this one.
        times: The times of the link.
        unix_time: The clock of all scripts in place of that of Redis, for tests.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        dial: Dial,
        *,
        details: bytes = b"",
        times: Times | None = None,
        unix_time: Callable[[], float] | None = None,
    ) -> None:
        self.link = Link(reactor, dial, details=details, times=times, unix_time=unix_time)
        # Here the parts are made. Each gets the link; `self.link.parts` has those that do work at
        # each attachment, in the order in which they do it: streams, names, presence.

    def listen(self, listener: IBackplaneListener) -> None:
        """See `IBackplane`."""
        self.link.linked = listener.linked

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
