"""The common part of both sides of a session: feed bytes in, take events and bytes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

from chatd.connection.events import (
    Ended,
    Event,
    Faulted,
    PingReceived,
    PongReceived,
    RequestFaulted,
    Run,
)
from chatd.connection.keepalive import Liveness, Pulse
from chatd.connection.limits import HandshakeLimits
from chatd.connection.outgoing import MAX_TEXT, PING, PONG, Outgoing
from chatd.connection.states import DEAF, OVER, State, Trigger, advance
from chatd.errors import (
    ErrorCode,
    KeyMismatchError,
    RemoteProtocolError,
    RequestError,
    SessionEnded,
    SessionRefused,
)
from chatd.wire.channel import Channel
from chatd.wire.codec import Codec
from chatd.wire.frames import Found
from chatd.wire.messages import (
    MESSAGE_TYPE,
    ChatHeader,
    Disconnect,
    Heartbeat,
    Message,
    MessageType,
)

__all__ = ["LOST", "Connection"]

LOST = "the connection was lost"
"""The reason of a loss that has no other."""
_CONNECTING, _ESTABLISHED = State.CONNECTING, State.ESTABLISHED  # cheaper lookups
_KNOWN_TYPES = frozenset(MessageType) - {MessageType.CHUNK}


def _one_message() -> tuple[int, int]:
    """Limit each run to one message."""
    return 1, 0


class Connection(Outgoing):
    """One side of a session, without the socket.

    Feed it with `receive_data` and act on the events from `events`; call `tick` regularly; send the
    bytes from `data_to_send`. Methods that send frames only queue them.

    Args:
        codec: The codec of the shared key.
        channel: The channel of the shared key, or the clear channel.
        heartbeat_s: Seconds between two heartbeats.
        now: The time, in seconds of any clock; later calls use the same clock.
        handshake: The limits for the peer until the session is established.

    Attributes:
        end_reason: The reason of the session's end; None until it ends.
        end_trigger: The first trigger of its end: this side, the peer or the transport; None until
            it ends.
        handshake_timeout_s: Maximum time until the session is established, in seconds.
    """

    __slots__ = (
        "_fault",
        "_handshake_deadline",
        "_is_read_out",
        "_liveness",
        "_reader",
        "end_reason",
        "end_trigger",
        "handshake_timeout_s",
    )

    _READING: ClassVar[frozenset[State]]
    """The states in which frames are read; in other states they wait."""
    _OPEN_TYPES: ClassVar[frozenset[int]]
    """The message types that an established session returns unchanged, as events."""
    _SENDS_PINGS: ClassVar[bool]

    def __init__(
        self,
        codec: Codec,
        channel: Channel,
        heartbeat_s: float,
        now: float,
        handshake: HandshakeLimits = HandshakeLimits(),  # noqa: B008  (frozen)
    ) -> None:
        super().__init__(codec, channel)
        self._reader = codec.reader(handshake.max_frame)
        self._liveness = Liveness(heartbeat_s, now)
        self.handshake_timeout_s = handshake.timeout_s
        self._handshake_deadline = now + handshake.timeout_s
        self._is_read_out = True
        self._fault: RemoteProtocolError | None = None
        self.end_reason: SessionEnded | None = None
        self.end_trigger: Trigger | None = None
        self._open_if_ready()

    @property
    def is_established(self) -> bool:
        """Whether the session is established, so that messages flow."""
        return self.state is _ESTABLISHED

    @property
    def is_readable(self) -> bool:
        """Whether `events` reads frames in the current state."""
        return self.state in self._READING

    @property
    def is_over(self) -> bool:
        """Whether the session has ended or is ending: nothing more is read."""
        return self.state in OVER

    # What arrives

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the transport; `events` returns the events in them."""
        if self.state not in DEAF:
            self._channel.receive_data(data)
            self._is_read_out = False

    def events(self, run_limit: Callable[[], tuple[int, int]] = _one_message) -> Iterator[Event]:
        """Yield the events of all complete frames, in order.

        Act on each event before asking for the next. The caller may stop at any event and continue
        later with a new call; no event is lost or repeated. A caller that stops at `Faulted` must
        call `end_faulty` when it has acted on the events before; continuing does that by itself.

        Args:
            run_limit: Returns how long the next `Run` may be: the most messages, and the bytes of
                content with which it ends.
        """
        reader, reading = self._reader, self._READING
        try:
            while self.state in reading:
                event = None if reader.is_empty else self._next_event(run_limit)
                if event is not None:
                    yield event
                elif not self._read_on():
                    return
        except RemoteProtocolError as error:
            self._open_if_ready()  # the fault may follow a good handshake
            self._fault = error
            self.state = advance(self.state, Trigger.FAULT_FOUND)
            yield Faulted(error)
            self.end_faulty()

    def tick(self, now: float) -> None:
        """Send a ping that is due, or end a session whose peer was silent or slow for too long.

        Args:
            now: The time, in seconds of the clock that the constructor was given.
        """
        if self.state in DEAF:
            return
        if not self.is_established:
            if now >= self._handshake_deadline:
                self.end(
                    ErrorCode.HANDSHAKE_TIMEOUT,
                    f"the handshake took more than {self.handshake_timeout_s:g} seconds",
                    retry=True,
                )
            return
        pulse = self._liveness.look(now)
        if pulse is Pulse.LOST:
            self.end(
                ErrorCode.HEARTBEAT_TIMEOUT,
                f"the peer was silent for {self._liveness.silence_s:g} seconds",
                retry=True,
            )
        elif pulse is Pulse.DUE and self._SENDS_PINGS:
            self.send_ping()

    @property
    def held_bytes(self) -> int:
        """Number of received bytes that wait here, most of them part of an incomplete frame."""
        return self._reader.held_bytes + self._channel.held_bytes

    @property
    def gathered_bytes(self) -> int:
        """Number of held bytes of an incomplete frame whose start passed its check."""
        return self._reader.gathered_bytes

    @property
    def is_silent(self) -> bool:
        """Whether the peer of an established session was silent since the last tick."""
        return self.is_established and not self._liveness.was_heard

    def note_alive(self) -> None:
        """Count the peer as alive: this side has paused reading, or the peer reads slowly."""
        self._liveness.was_heard = True

    def connection_lost(self, cause: str = "") -> None:
        """Record that the transport is gone.

        Args:
            cause: The transport's description of the loss, if it has one.
        """
        if self.state is State.CLOSED:
            return
        if self.end_reason is None:
            is_empty = self._channel.is_empty and self._reader.is_empty
            is_cut = self._is_read_out and not is_empty  # unread data may be complete frames
            reason = "the connection was cut inside a frame" if is_cut else LOST
            self.end_reason = self._lost_reason(f"{reason}: {cause}" if cause else reason)
        self._finish(Trigger.CONNECTION_LOST, self.end_reason)
        self.discard_queued()

    # How it ends

    def end(self, code: str, reason: str, *, retry: bool = False) -> None:
        """Queue a DISCONNECT and stop reading; do nothing if the session is already over."""
        if self.is_over:
            return
        if self._channel.is_open:
            self.send(
                MessageType.DISCONNECT, Disconnect(code=str(code), reason=reason, retry=retry)
            )
        self._finish(Trigger.ENDED, SessionEnded(code, reason, retry=retry))

    def end_faulty(self) -> None:
        """End a session whose peer broke the protocol, with ERROR and DISCONNECT.

        Do nothing if there is no fault, or if the session is over.
        """
        error = self._fault
        if error is None or self.state is not State.FAULTED:
            return
        if isinstance(error, KeyMismatchError):
            self._finish(Trigger.ENDED, SessionRefused(error.code, str(error)))
            return
        if self._channel.is_open:
            self.send_error(RequestError(error.code, str(error)))
        self.end(error.code, str(error))

    # For the two sides

    def _channel_opened(self) -> None:
        """Act on the opening of the channel; the state has advanced already."""

    def _receive_handshake(self, message: Message) -> Event | None:
        """Act on a frame that the handling common to both sides does not cover."""
        raise NotImplementedError

    def _lost_reason(self, reason: str) -> SessionEnded:
        return SessionEnded(ErrorCode.CONNECTION_LOST, reason, retry=True)

    def _ended_by_peer(self, header: Disconnect) -> SessionEnded:
        return SessionEnded(header.code[:MAX_TEXT], header.reason[:MAX_TEXT], retry=header.retry)

    def _establish(self) -> None:
        self.state = advance(self.state, Trigger.ADMITTED)
        self._reader.max_frame = self.codec.max_frame
        self._liveness.was_heard = True

    def _unexpected(self, message: Message) -> RequestFaulted:
        """Return the event for a frame that is not allowed now; the session goes on."""
        if message.type in _KNOWN_TYPES:
            code, text = ErrorCode.UNEXPECTED_TYPE, "is not allowed now"
        else:
            code, text = ErrorCode.UNKNOWN_TYPE, "is unknown"
        error = RequestError(code, f"type {message.type} {text}", ref=_id_of(message))
        return RequestFaulted(error)

    # Within

    def _open_if_ready(self) -> None:
        if self.state is _CONNECTING and self._channel.is_open:
            self.state = advance(self.state, Trigger.CHANNEL_OPENED)
            self._channel_opened()

    def _next_event(self, run_limit: Callable[[], tuple[int, int]]) -> Event | None:
        """Return the event of the next complete frame; None if the reader has no more."""
        reader = self._reader
        if self.state is _ESTABLISHED:
            messages = self.codec.decode_run(reader, *run_limit())
            if messages:
                self._liveness.was_heard = True
                return Run(messages)
        while (frame := reader.next_frame()) is not None:
            event = self._read_frame(*frame)
            if event is not None or not self.is_readable:
                return event
        return None

    def _read_on(self) -> bool:
        """Give the reader the next bytes of the channel; return whether there were any."""
        plaintext = self._channel.next_plaintext()
        if self.state is _CONNECTING:
            self._open_if_ready()
        if not plaintext:
            self._is_read_out = True
            return False
        self._reader.receive_data(plaintext)
        self._liveness.note_gathered(self._reader.gathered_bytes)
        return True

    def _read_frame(self, buffer: Found, start: int, end: int) -> Event | None:
        try:
            message = self.codec.decode_envelope(buffer, start, end)
        except RequestError as error:
            self._liveness.was_heard = True
            return RequestFaulted(error)
        self._liveness.was_heard = True
        if self.state is _ESTABLISHED and message.type in self._OPEN_TYPES:
            if message.type == MESSAGE_TYPE:
                return Run((message,))
            return message
        header = message.header
        if isinstance(header, Heartbeat):
            return self._receive_heartbeat(header, message.content)
        if isinstance(header, Disconnect):
            end_reason = self._ended_by_peer(header)
            self._finish(Trigger.PEER_ENDED, end_reason)
            return Ended(end_reason)
        return self._receive_handshake(message)

    def _receive_heartbeat(self, header: Heartbeat, content: bytes) -> Event:
        if content == PING:
            return PingReceived(header.n)
        if content == PONG:
            return PongReceived(header.n)
        error = RequestError(ErrorCode.BAD_REQUEST, "a heartbeat must be a ping or a pong")
        return RequestFaulted(error)

    def _finish(self, trigger: Trigger, end_reason: SessionEnded) -> None:
        self.state = advance(self.state, trigger)
        self.end_reason = end_reason
        self.end_trigger = self.end_trigger or trigger
        self._reader.discard()  # nothing more is read
        self._channel.discard()


def _id_of(message: Message) -> str | None:
    header = message.header
    given = header.get("id") if isinstance(header, dict) else None
    if isinstance(header, ChatHeader):
        given = header.id
    return given if isinstance(given, str) else None
