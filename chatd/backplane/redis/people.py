"""`People`: the part of the backplane for names, presence and words, at each attachment."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from chatd.backplane.interface import IBackplaneListener
from chatd.backplane.redis import keys
from chatd.backplane.redis.attachment import Attachment
from chatd.backplane.redis.link import Link
from chatd.backplane.redis.names import Names
from chatd.backplane.redis.presence import Presence
from chatd.backplane.redis.script import load
from chatd.backplane.redis.words import Words

__all__ = ["People"]

_MINE, _CLEAR = load("mine"), load("clear")
_STEP = 100


class People:
    """Makes names, presence and words agree with Redis again, and clears the state of dead nodes.

    Args:
        link: The link.
        reactor: Measures times.
        fold: Returns the form of a name in which names are compared.
        max_age_s: The highest age of a message, in seconds.
        direct: Called with each push of direct messages.

    Attributes:
        names: Which session has which name.
        presence: Which names are in which rooms.
        words: The words between nodes.
    """

    def __init__(
        self,
        link: Link,
        reactor: IReactorTime,
        fold: Callable[[str], str],
        max_age_s: float,
        direct: Callable[[bytes], None],
    ) -> None:
        self.names = Names(link, fold)
        self.presence = Presence(link, fold, max_age_s)
        self.words = Words(link, reactor, fold, direct)
        self._link = link
        link.beats += (self.words.beat, self._clear_dead)

    def listen(self, listener: IBackplaneListener) -> None:
        """Set the listener."""
        self.names.listener = self.presence.listener = self.words.listener = listener

    async def attach(self, attachment: Attachment) -> None:
        """Claim the names and enter the rooms of this node again; give up all others."""
        claims, inside = await attachment.call(_MINE)
        await self.names.attach(attachment, claims)
        await self.presence.attach(attachment, inside)
        await self.words.attach(attachment)

    async def leave(self, attachment: Attachment) -> None:
        """Give up all names, and quit all rooms."""
        while await self._clear(attachment, self._link.node):
            pass

    async def _clear_dead(self, attachment: Attachment) -> None:
        while await self._clear(attachment, ""):
            pass

    async def _clear(self, attachment: Attachment, node: str) -> bool:
        names = [keys.key("janitor"), keys.key("nodes")]
        args = self._link.times.lease_ms, self.presence.limit, _STEP, node
        return bool(await attachment.call(_CLEAR, names, args))
