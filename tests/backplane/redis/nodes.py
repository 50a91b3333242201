"""A node of a backplane, with a listener that notes what it hears."""

from __future__ import annotations

from chatd.backplane.redis.backplane import RedisBackplane
from chatd.backplane.redis.times import Times
from tests.backplane.redis.listeners import Notes
from tests.backplane.redis.servers import RedisServer

QUIET = Times(lease_s=3600.0, heartbeat_s=3600.0)
"""The times of a node that does nothing by itself during a test."""


def make_backplane(server: RedisServer, **options) -> RedisBackplane:
    """Return the backplane of another node in a server."""
    from twisted.internet import reactor

    return RedisBackplane(reactor, server.dial, **options)


class Node(RedisBackplane):
    """A node of the backplane in a server.

    Attributes:
        notes: What it hears.
    """

    def __init__(self, server: RedisServer, *, dial=None, **options) -> None:
        from twisted.internet import reactor

        super().__init__(reactor, dial or server.dial, **options)
        self.notes = Notes()
        self.listen(self.notes)
        self.open()

    def lose_pushes(self, is_lost=lambda channel, data: bool(data)) -> None:
        """Lose pushes of the present attachment from now on; by default all but probes."""
        pushes = self.link.attachment.pushes
        take = pushes.on_push
        pushes.on_push = lambda *push: None if is_lost(*push) else take(*push)

    def cut(self) -> None:
        """Lose the connections to Redis."""
        self.link.attachment.commands.transport.abortConnection()

    async def people_beat(self) -> None:
        """Do what the part for people does at a heartbeat."""
        attachment = self.link.attachment
        assert attachment is not None
        for beat in self.link.beats:
            await beat(attachment)

    async def ids(self, stream) -> list[str | None]:
        """Return the ids of all messages of a stream, as it reads them."""
        page = await self.read(stream, after=0, limit=10**6, max_bytes=10**9)
        return [message.id for message in page.messages]
