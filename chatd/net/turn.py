"""One reactor turn: what it produced is put together and flushed at its end.

However many messages a turn brings to a room, each member gets them in one flush: they are joined
once for the room, and sealed and written once for each member. What is said in a
room keeps its order, and a frame for one member comes after what was broadcast before it; two
rooms' messages of one turn have no order between them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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

    @property
    def id(self) -> str:
        """What sets it apart from every other."""

    @property
    def rooms(self) -> Mapping[str, Audience]:
        """The audiences that it is of."""

    def deliver(self, frames: bytes) -> None:
        """Queue whole frames."""


class Audience(Protocol):
    """Those who are all sent the same."""

    @property
    def members(self) -> Mapping[str, Receiver]:
        """Who they are, by their ids."""


class _Broadcast:
    """What is broadcast to one audience, and who has had how many frames of it already."""

    __slots__ = ("frames", "had")

    def __init__(self, frame: bytes) -> None:
        self.frames = [frame]
        self.had: dict[str, int] = {}

    def rest_for(self, id: str) -> bytes:
        return b"".join(self.frames[self.had.get(id, 0) :])


class Turn:
    """Gathers what is to be sent until the reactor's turn is over.

    Args:
        clock: What calls back at the end of the turn; the reactor, or a test's clock.

    Attributes:
        before_flush: Called before everything is sent, for what is still to be broadcast.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._call: IDelayedCall | None = None
        self._broadcasts: dict[Audience, _Broadcast] = {}
        self._flushables: dict[Flushable, None] = {}
        self.before_flush: Callable[[], None] = _do_nothing

    def broadcast(self, audience: Audience, frame: bytes) -> None:
        """Send a frame to all who are members of `audience` at the end of the turn."""
        broadcast = self._broadcasts.get(audience)
        if broadcast is None:
            self._broadcasts[audience] = _Broadcast(frame)
            self.schedule()
        else:
            broadcast.frames.append(frame)

    def add(self, flushable: Flushable) -> None:
        """Flush someone at the end of the turn."""
        self._flushables[flushable] = None
        if self._call is None:
            self.schedule()

    def schedule(self) -> None:
        """See to it that the turn has an end."""
        if self._call is None:
            self._call = self._clock.callLater(0, self.flush)

    def begin(self, audience: Audience, receiver: Receiver) -> None:
        """Hand a new member of an audience nothing of what was broadcast to it until now."""
        broadcast = self._broadcasts.get(audience)
        if broadcast is not None:
            broadcast.had[receiver.id] = len(broadcast.frames)

    def hand_over(self, receiver: Receiver) -> None:
        """Hand one receiver now what was broadcast to it.

        Call it before the receiver leaves an audience, and before a frame for it alone that must
        come after what was broadcast.
        """
        if not self._broadcasts:
            return
        for audience in receiver.rooms.values():
            broadcast = self._broadcasts.get(audience)
            if broadcast is not None and receiver.id in audience.members:
                rest = broadcast.rest_for(receiver.id)
                broadcast.had[receiver.id] = len(broadcast.frames)
                if rest:
                    receiver.deliver(rest)

    def settle(self) -> None:
        """Hand what was broadcast to those who are members now."""
        while self._broadcasts:
            broadcasts, self._broadcasts = self._broadcasts, {}
            for audience, broadcast in broadcasts.items():
                frames = broadcast.frames
                joined = frames[0] if len(frames) == 1 else b"".join(frames)
                if broadcast.had:
                    _deliver_rest(audience, broadcast, joined)
                else:
                    for receiver in list(audience.members.values()):
                        receiver.deliver(joined)

    def flush(self) -> None:
        """Send everything now; at the latest the end of the turn does it."""
        try:
            self.before_flush()
        except Exception:
            self.log.failure("what was said could not be settled")
        self.settle()  # before the call is forgotten: who is delivered to would ask for another
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()
        flushables, self._flushables = self._flushables, {}
        for flushable in flushables:
            try:
                flushable.flush()
            except Exception:  # the others are to be flushed all the same
                self.log.failure("a flush failed")


def _deliver_rest(audience: Audience, broadcast: _Broadcast, joined: bytes) -> None:
    """Deliver to each what it has not had."""
    had = broadcast.had
    for id, receiver in list(audience.members.items()):
        frames = broadcast.rest_for(id) if id in had else joined
        if frames:
            receiver.deliver(frames)


def _do_nothing() -> None:
    """Have nothing to do before a flush."""
