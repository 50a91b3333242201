"""One reactor turn: it collects frames, and flushes them at its end.

Each member of a room gets all messages of a turn in one flush. The messages are encoded and joined
once for each encoder among the members, and sealed and written once for each member. All members
have the same encoder, unless the key was replaced. The messages of a room keep their order, and a
frame for one member follows the messages broadcast before it. Messages of one turn in two rooms
have no order between them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from chatd.chat.interfaces import Audience
from chatd.transport.sealing import SealingQueue
from chatd.wire.large import Frame, LargeFrame
from chatd.wire.messages import Message

__all__ = ["Encoder", "Flushable", "Receiver", "Turn", "join_frames"]


class Encoder(Protocol):
    """Encodes messages as frames."""

    def encode_run(self, messages: Sequence[Message]) -> Sequence[Frame]:
        """Return the frame of each message."""


class Flushable(Protocol):
    """A protocol with bytes to send."""

    def flush(self) -> None:
        """Send the bytes."""

    def fail(self) -> None:
        """Act on a `flush` that raised: stop sending."""


class Receiver(Protocol):
    """A member that frames are delivered to."""

    @property
    def id(self) -> str:
        """The unique id of the receiver."""

    @property
    def encoder(self) -> Encoder:
        """The encoder of the frames that the receiver understands."""

    @property
    def rooms(self) -> Mapping[str, Audience[Receiver]]:
        """The audiences of the receiver, by room."""

    def deliver(self, frames: Frame) -> None:
        """Queue complete frames."""


class _Broadcast:
    """The messages for one audience, and how many of them each early receiver already has."""

    __slots__ = ("_encoded", "had", "messages")

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.had: dict[str, int] = {}
        self._encoded: dict[Encoder, list[Frame]] = {}

    def joined(self, encoder: Encoder) -> Sequence[Frame]:
        """Return the frames of all messages, joined except for large ones."""
        return join_frames(self._frames(encoder))

    def rest_for(self, receiver: Receiver) -> Sequence[Frame]:
        """Return the frames that a receiver has not had, joined except for large ones."""
        return join_frames(self._frames(receiver.encoder)[self.had.get(receiver.id, 0) :])

    def _frames(self, encoder: Encoder) -> list[Frame]:
        frames = self._encoded.setdefault(encoder, [])
        frames.extend(encoder.encode_run(self.messages[len(frames) :]))
        return frames


class Turn:
    """Collects messages and flushes until the end of the reactor's turn.

    Args:
        clock: The reactor, or a test's clock; it calls back at the end of the turn.
        before_flush: Called before the flush; it may still broadcast messages.
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
        self._reader = 0  # the id of the protocol that read last
        self._waits = False  # whether the end of the turn comes by itself, without a call
        self._is_due = False
        self._sealing = SealingQueue[Flushable](clock, self.add)
        self.seal = self._sealing.seal

    def broadcast(self, audience: Audience[Receiver], messages: Sequence[Message]) -> None:
        """Send messages to all members that `audience` has at the end of the turn."""
        broadcast = self._broadcasts.get(audience)
        if broadcast is None:
            broadcast = self._broadcasts[audience] = _Broadcast()
            self.schedule()
        broadcast.messages.extend(messages)

    def add(self, flushable: Flushable) -> None:
        """Flush `flushable` at the end of the turn."""
        self._flushables[flushable] = None
        if self._waits:
            self._is_due = True
        elif self._call is None:
            self.schedule()

    def schedule(self) -> None:
        """Schedule the end of the turn, unless it is scheduled already."""
        if self._waits:
            self._is_due = True
        elif self._call is None:
            self._call = self._clock.callLater(0, self.flush)

    def begin_read(self) -> None:
        """Note that received bytes are being acted on; `end_read` follows."""
        self._waits = True

    def end_read(self, reader: object, *, is_full: bool) -> None:
        """Flush now if nobody else is likely to be read in this turn, or else at its end.

        It is unlikely if the same protocol read last time, too. A call of the reactor at the end of
        the turn would take longer than all other work on one message.

        Args:
            reader: The protocol that has read.
            is_full: Whether the turn must not grow.
        """
        is_alone, self._reader = self._reader == id(reader), id(reader)
        is_due, self._is_due = self._is_due, False
        self._waits = False
        if is_full or (is_due and is_alone and self._call is None):
            self.flush()
        elif is_due:
            self.schedule()

    def begin(self, audience: Audience[Receiver], receiver: Receiver) -> None:
        """Treat this turn's earlier broadcasts as already delivered to a new member."""
        broadcast = self._broadcasts.get(audience)
        if broadcast is not None:
            broadcast.had[receiver.id] = len(broadcast.messages)

    def deliver_early(self, receiver: Receiver) -> None:
        """Deliver the messages broadcast so far to one receiver.

        Call this before the receiver leaves an audience, and before a frame for this receiver alone
        that must follow the broadcast messages.
        """
        if not self._broadcasts:
            return
        for audience in receiver.rooms.values():
            broadcast = self._broadcasts.get(audience)
            if broadcast is not None and receiver.id in audience.members:
                rest = broadcast.rest_for(receiver)
                broadcast.had[receiver.id] = len(broadcast.messages)
                for frames in rest:
                    receiver.deliver(frames)

    def deliver_all(self) -> None:
        """Deliver the messages broadcast so far to the current members."""
        while self._broadcasts:
            broadcasts, self._broadcasts = self._broadcasts, {}
            for audience, broadcast in broadcasts.items():
                try:
                    _deliver(audience, broadcast)
                except Exception:  # the other audiences still get their messages
                    self.log.failure("a message could not be delivered")

    def flush(self) -> None:
        """Send everything now; without this call, the end of the turn does."""
        self._waits = True
        try:
            self._before_flush()
        except Exception:
            self.log.failure("the messages of a turn could not be stored")
        self.deliver_all()
        self._waits = self._is_due = False
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()
        flushables, self._flushables = self._flushables, {}
        for flushable in flushables:
            try:
                flushable.flush()
            except Exception:  # the others are still flushed
                self.log.failure("a flush failed")
                flushable.fail()


def _deliver(audience: Audience[Receiver], broadcast: _Broadcast) -> None:
    """Deliver to each member the frames it has not had; members without any share the bytes."""
    had = broadcast.had
    encoder: Encoder | None = None
    joined: Sequence[Frame] = ()
    for receiver in list(audience.members.values()):
        if had and receiver.id in had:
            for frames in broadcast.rest_for(receiver):
                receiver.deliver(frames)
            continue
        if receiver.encoder is not encoder:
            encoder = receiver.encoder
            joined = broadcast.joined(encoder)
        for frames in joined:
            receiver.deliver(frames)


def join_frames(frames: Sequence[Frame]) -> Sequence[Frame]:
    """Return the frames, with those next to each other joined, except for large ones."""
    if len(frames) <= 1:
        return frames
    if LargeFrame not in set(map(type, frames)):
        return (b"".join(frames),)  # type: ignore[arg-type]
    joined: list[Frame] = []
    for frame in frames:
        last = joined[-1] if joined else None
        if isinstance(frame, bytes) and isinstance(last, bytes):
            joined[-1] = last + frame
        else:
            joined.append(frame)
    return joined
