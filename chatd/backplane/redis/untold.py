"""`Untold`: the direct messages that Redis may have, and that no session of this node got."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from chatd.backplane.redis.batch import Key

__all__ = ["MAX_UNTOLD", "Untold"]

MAX_UNTOLD = 10_000
"""How many messages are remembered; of more, the oldest are forgotten."""


class Untold:
    """The direct messages whose append was not answered, because the connection was lost.

    Redis may have them. Then it has told the other nodes, but not this node: the outcome does so,
    and there was none. So when such a message comes again, it is new to the sessions here. The
    rooms need no such memory, because a node has a position in each.
    """

    def __init__(self) -> None:
        self._messages: dict[tuple[str, Key], None] = {}  # in the order in which they were added

    def add(self, stream: str, keys: Iterable[Key]) -> None:
        """Add messages of a direct stream."""
        for key in keys:
            self._messages[stream, key] = None
        while len(self._messages) > MAX_UNTOLD:
            del self._messages[next(iter(self._messages))]

    def take(self, stream: str, keys: Iterable[Key]) -> Collection[Key]:
        """Return which messages of a stream are here, and forget them: they are told now."""
        if not self._messages:
            return ()
        found = [key for key in keys if (stream, key) in self._messages]
        for key in found:
            del self._messages[stream, key]
        return found
