"""One reactor turn: what it produced is put together and flushed at its end.

However many messages a turn brings to a room, each member gets them in one flush: they are joined
once for the room, and sealed and written once for each member. What is said in a
room keeps its order, and a frame for one member comes after what was broadcast before it; two
rooms' messages of one turn have no order between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

__all__ = ["Audience", "Flushable", "Receiver", "Turn"]


class Flushable(Protocol):
    """Who has something to send."""

    def flush(self) -> None:
        """Send it."""


class Receiver(Protocol):
    """Who is sent frames."""

    def deliver(self, frames: bytes) -> None:
        """Queue whole frames."""


class Audience(Protocol):
    """Those who are all sent the same."""

    @property
    def members(self) -> Mapping[str, Receiver]:
        """Who they are."""


class Turn:
    """Gathers what is to be sent until the reactor's turn is over.

    Args:
        clock: What calls back at the end of the turn; the reactor, or a test's clock.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._call: IDelayedCall | None = None
        self._frames: dict[Audience, list[bytes]] = {}
        self._flushables: dict[Flushable, None] = {}

    def broadcast(self, audience: Audience, frame: bytes) -> None:
        """Send a frame to all who are members of `audience` at the next `settle`."""
        frames = self._frames.get(audience)
        if frames is None:
            self._frames[audience] = [frame]
            self._schedule()
        else:
            frames.append(frame)

    def add(self, flushable: Flushable) -> None:
        """Flush someone at the end of the turn."""
        self._flushables[flushable] = None
        if self._call is None:
            self._schedule()

    def settle(self) -> None:
        """Hand what was broadcast to those who are members now.

        Call it before members change, and before a frame for one member that must come after what
        was broadcast.
        """
        if not self._frames:
            return
        broadcasts, self._frames = self._frames, {}
        for audience, frames in broadcasts.items():
            joined = frames[0] if len(frames) == 1 else b"".join(frames)
            for receiver in list(audience.members.values()):
                receiver.deliver(joined)

    def flush(self) -> None:
        """Send everything now; at the latest the end of the turn does it."""
        self.settle()  # before the call is forgotten: who is delivered to would ask for another
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()
        flushables, self._flushables = self._flushables, {}
        for flushable in flushables:
            with self.log.failuresHandled("a flush failed"):
                flushable.flush()

    def _schedule(self) -> None:
        if self._call is None:
            self._call = self._clock.callLater(0, self.flush)
