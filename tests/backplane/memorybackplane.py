"""One node of a backplane in memory, which several factories of one process share."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from chatd.backplane.interface import IBackplane, LinkState
from chatd.chat.names import fold
from tests.backplane.memorynode import json_copy
from tests.backplane.memorypeople import MemoryPeople
from tests.backplane.memorystreams import MemoryStreams


@implementer(IBackplane)
class MemoryBackplane(MemoryStreams, MemoryPeople):
    """One node of a backplane in memory, which loses its link and its lease at will.

    Attributes:
        has_lease: Whether its lease has not ended.
    """

    def __init__(self, shared):
        super().__init__(shared)
        self.has_lease = True

    def listen(self, listener):
        self.listener = listener

    def open(self):
        """Do nothing."""

    async def close(self):
        """Do nothing."""

    # The link

    def lose_link(self, *, lease=False):
        """Lose the link, and perhaps the lease."""
        self.is_up = False
        if lease:
            self.lose_lease()
        self.listener.linked(LinkState(False, "the backplane does not answer"))

    def lose_lease(self):
        """Lose all that others take over when the lease has ended."""
        self.has_lease = False
        self.give_up_people()

    def restore_link(self):
        """Attach anew."""
        self.is_up = True
        self.listener.names_lost(self.claim_again())
        had_lease, self.has_lease = self.has_lease, True
        self.hear_directs(had_lease=had_lease)
        self.enter_again()
        self.compare_rooms()
        self.listener.linked(LinkState(True))

    # Bans

    async def bans(self):
        await self.ready("bans")
        return list(self.shared.bans.values())

    async def keep_ban(self, ban):
        await self.ready("keep_ban")
        ended = [key for key in self.shared.bans if not self.shared.is_banned(key)]
        for key in ended:
            del self.shared.bans[key]
        self.shared.bans[ban.key] = ban

    async def drop_ban(self, key):
        await self.ready("drop_ban")
        was_banned = self.shared.is_banned(key)
        self.shared.bans.pop(key, None)
        return was_banned

    # Words between nodes

    def tell_room(self, stream, event, *, but=""):
        self.later("tell_room", self.shared.announce, stream, event, but)

    async def tell_topic(self, stream, event):
        await self.ready("tell_topic")
        await self.shared.store.set_topic(stream, event["topic"])
        self.shared.announce(stream, event)

    def tell_name(self, name, event):
        for node in self.shared.nodes:
            if node is not self:
                node.push(lambda node=node: node.listener.heard_for(fold(name), json_copy(event)))

    async def ask_all(self, question):
        await self.ready("ask_all")
        others = [node for node in self.shared.nodes if node is not self and node.is_up]
        return [await answer for answer in [node.answer(question) for node in others]]

    def answer(self, question):
        """Return a Deferred of this node's answer to another's question."""
        answered: Deferred[Any] = Deferred()

        async def ask():
            told = json_copy(await self.listener.asked(json_copy(question)))
            self.shared.soon(lambda: answered.callback(told))

        self.shared.soon(lambda: Deferred.fromCoroutine(ask()).addErrback(answered.errback))
        return answered
