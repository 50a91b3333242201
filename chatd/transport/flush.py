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

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatd.chat.interfaces import Audience
from chatd.transport.sealing import SealingQueue
from chatd.transport.turnend import TurnEnd
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

    Attributes:
        schedule: Makes sure that the turn ends.
        begin_read: Call this before received bytes are acted on, and `end_read` after that; see
            `TurnEnd`.
        seal: Seals large frames in later turns; see `SealingQueue`.
    """

    log = Logger()

    def __init__(
        self, clock: IReactorTime, before_flush: Callable[[], None] = lambda: None
    ) -> None:
        self._before_flush = before_flush
        self._broadcasts: dict[Audience[Receiver], _Broadcast] = {}
        self._flushables: dict[Flushable, None] = {}
        self._end = TurnEnd(clock, self.flush)
        self.schedule, self.begin_read = self._end.ask, self._end.hold
        self.end_read = self._end.end_read
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
        if not self._flushables:  # otherwise the end is due already
            self.schedule()
        self._flushables[flushable] = None

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
        self._end.hold()
        try:
            self._before_flush()
        except Exception:
            self.log.failure("the messages of a turn could not be stored")
        self.deliver_all()
        self._end.reached()
        flushables, self._flushables = self._flushables, {}
        for flushable in flushables:
            try:
                flushable.flush()
            except Exception:  # the others are still flushed
                self.log.failure("a flush failed")
                self._fail(flushable)

    def _fail(self, flushable: Flushable) -> None:
        try:
            flushable.fail()
        except Exception:
            self.log.failure("a failed flush cannot be ended")


def _deliver(audience: Audience[Receiver], broadcast: _Broadcast) -> None:
    """Deliver to each member the frames it has not had; members without any share the bytes."""
    had = broadcast.had
    encoder: Encoder | None = None
    joined: Sequence[Frame] = ()
    earlier: dict[Encoder, Sequence[Frame]] = {}  # the frames of the encoders before
    for receiver in list(audience.members.values()):
        if had and receiver.id in had:
            for frames in broadcast.rest_for(receiver):
                receiver.deliver(frames)
            continue
        if receiver.encoder is not encoder:
            if encoder is not None:
                earlier[encoder] = joined
            encoder = receiver.encoder
            joined = earlier[encoder] if encoder in earlier else broadcast.joined(encoder)
        for frames in joined:
            receiver.deliver(frames)


def join_frames(frames: Sequence[Frame]) -> Sequence[Frame]:
    """Return the frames, with those next to each other joined, except for large ones."""
    if len(frames) <= 1:
        return frames
    if LargeFrame not in set(map(type, frames)):
        return (b"".join(frames),)  # type: ignore[arg-type]
    joined: list[Frame] = []
    small: list[bytes] = []  # those since the last large frame
    for frame in frames:
        if isinstance(frame, bytes):
            small.append(frame)
            continue
        if small:
            joined.append(b"".join(small))
            small = []
        joined.append(frame)
    if small:
        joined.append(b"".join(small))
    return joined
