"""A node of a backplane, with a listener that notes what it hears."""

from __future__ import annotations

from chatd.backplane.redis.backplane import RedisBackplane
from tests.backplane.redis.listeners import Notes
from tests.backplane.redis.servers import RedisServer


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
