"""One reactor turn: what it produced is put together and flushed at its end.

However many messages a turn brings to a room, each member gets them in one flush: they are encoded
and joined once for each encoder among the members, of whom all have the same one unless the key was
replaced, and sealed and written once for each member. What is said in a room keeps its order, and a
frame for one member comes after what was broadcast before it; two rooms' messages of one turn have
no order between them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from chatd.chat.interfaces import Audience
from chatd.wire.messages import Message

__all__ = ["Encoder", "Flushable", "Receiver", "Turn"]


class Encoder(Protocol):
    """Makes frames."""

    def encode(self, message: Message) -> bytes:
        """Make the whole frame of a message."""


class Flushable(Protocol):
    """Who has something to send."""

    def flush(self) -> None:
        """Send it."""

    def fail(self) -> None:
        """Act on a `flush` that raised: send nothing any more."""


class Receiver(Protocol):
    """Who is sent frames."""

    @property
    def id(self) -> str:
        """What sets it apart from every other."""

    @property
    def encoder(self) -> Encoder:
        """What makes the frames that it understands."""

    @property
    def rooms(self) -> Mapping[str, Audience[Receiver]]:
        """The audiences that it is of."""

    def deliver(self, frames: bytes) -> None:
        """Queue whole frames."""


class _Broadcast:
    """What is broadcast to one audience, and who has had how many messages of it already."""

    __slots__ = ("_encoded", "had", "messages")

    def __init__(self, message: Message) -> None:
        self.messages = [message]
        self.had: dict[str, int] = {}
        self._encoded: dict[Encoder, list[bytes]] = {}

    def joined(self, encoder: Encoder) -> bytes:
        """Return all of it as one piece."""
        frames = self._frames(encoder)
        return frames[0] if len(frames) == 1 else b"".join(frames)

    def rest_for(self, receiver: Receiver) -> bytes:
        """Return what a receiver has not had, as one piece."""
        return b"".join(self._frames(receiver.encoder)[self.had.get(receiver.id, 0) :])

    def _frames(self, encoder: Encoder) -> list[bytes]:
        frames = self._encoded.setdefault(encoder, [])
        frames.extend(map(encoder.encode, self.messages[len(frames) :]))
        return frames


class Turn:
    """Gathers what is to be sent until the reactor's turn is over.

    Args:
        clock: What calls back at the end of the turn; the reactor, or a test's clock.
        before_flush: Called before everything is sent, for what is still to be broadcast.
    """

    log = Logger()

    def __init__(
        self, clock: IReactorTime, before_flush: Callable[[], None] = lambda: None
    ) -> None:
        self._clock = clock
        self._before_flush = before_flush
        self._call: IDelayedCall | None = None
        self._broadcasts: dict[Audience[Receiver], _Broadcast] = {}
        self._flushables: dict[Flushable, None] = {}

    def broadcast(self, audience: Audience[Receiver], message: Message) -> None:
        """Send a message to all who are members of `audience` at the end of the turn."""
        broadcast = self._broadcasts.get(audience)
        if broadcast is None:
            self._broadcasts[audience] = _Broadcast(message)
            self.schedule()
        else:
            broadcast.messages.append(message)

    def add(self, flushable: Flushable) -> None:
        """Flush someone at the end of the turn."""
        self._flushables[flushable] = None
        if self._call is None:
            self.schedule()

    def schedule(self) -> None:
        """See to it that the turn has an end."""
        if self._call is None:
            self._call = self._clock.callLater(0, self.flush)

    def begin(self, audience: Audience[Receiver], receiver: Receiver) -> None:
        """Hand a new member of an audience nothing of what was broadcast to it until now."""
        broadcast = self._broadcasts.get(audience)
        if broadcast is not None:
            broadcast.had[receiver.id] = len(broadcast.messages)

    def deliver_early(self, receiver: Receiver) -> None:
        """Hand one receiver now what was broadcast to it.

        Call it before the receiver leaves an audience, and before a frame for it alone that must
        come after what was broadcast.
        """
        if not self._broadcasts:
            return
        for audience in receiver.rooms.values():
            broadcast = self._broadcasts.get(audience)
            if broadcast is not None and receiver.id in audience.members:
                rest = broadcast.rest_for(receiver)
                broadcast.had[receiver.id] = len(broadcast.messages)
                if rest:
                    receiver.deliver(rest)

    def deliver_all(self) -> None:
        """Hand what was broadcast to those who are members now."""
        while self._broadcasts:
            broadcasts, self._broadcasts = self._broadcasts, {}
            for audience, broadcast in broadcasts.items():
                try:
                    _deliver(audience, broadcast)
                except Exception:  # the other audiences are to be told all the same
                    self.log.failure("a message could not be delivered")

    def flush(self) -> None:
        """Send everything now; at the latest the end of the turn does it."""
        try:
            self._before_flush()
        except Exception:
            self.log.failure("what was said could not be stored")
        # Before the call is forgotten: a receiver would ask for another one.
        self.deliver_all()
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()
        flushables, self._flushables = self._flushables, {}
        for flushable in flushables:
            try:
                flushable.flush()
            except Exception:  # the others are to be flushed all the same
                self.log.failure("a flush failed")
                flushable.fail()


def _deliver(audience: Audience[Receiver], broadcast: _Broadcast) -> None:
    """Deliver to each what it has not had; the very same bytes to all who have had nothing."""
    had = broadcast.had
    encoder, joined = None, b""
    for receiver in list(audience.members.values()):
        if had and receiver.id in had:
            frames = broadcast.rest_for(receiver)
            if frames:
                receiver.deliver(frames)
            continue
        if receiver.encoder is not encoder:
            encoder = receiver.encoder
            joined = broadcast.joined(encoder)
        receiver.deliver(joined)
