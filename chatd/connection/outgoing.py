"""The sending half of a session: it queues frames, and seals them when they are sent."""

from __future__ import annotations

from chatd.connection.events import PingReceived, RequestFaulted
from chatd.connection.states import SILENT, TAKING, State
from chatd.errors import LocalProtocolError, RequestError
from chatd.wire.channel import Channel
from chatd.wire.codec import Codec
from chatd.wire.large import LARGE_CONTENT, Frame, LargeFrame
from chatd.wire.messages import Error, Header, Heartbeat, MessageType

__all__ = ["MAX_TEXT", "PING", "PONG", "Outgoing", "take_joined"]

MAX_REF = 256
"""Longest id that an ERROR repeats, in characters; a longer id is left out."""
MAX_TEXT = 1024
"""Maximum length of a text in an ERROR to send or a DISCONNECT received, in characters."""


PING = b"ping"
PONG = b"pong"


def take_joined(pieces: list[bytes], most: int) -> bytes:
    """Remove the first pieces from a list, and return them joined.

    Args:
        pieces: The pieces, at least one.
        most: The most bytes to join; a longer piece comes alone, without a copy.
    """
    size, taken = len(pieces[0]), 1
    while taken < len(pieces) and size + len(pieces[taken]) <= most:
        size += len(pieces[taken])
        taken += 1
    joined = pieces[0] if taken == 1 else b"".join(pieces[:taken])
    del pieces[:taken]
    return joined


class Outgoing:
    """The half of a connection that sends.

    Args:
        codec: The codec of the shared key.
        channel: The channel of the shared key, or the clear channel.

    Attributes:
        codec: The codec of the shared key.
        state: The state of the session.
        bytes_to_send: Number of bytes queued.
        seal_into: Seals the next piece of the result of `plaintext_to_send`; see `Channel`.
    """

    __slots__ = (
        "_behind",
        "_channel",
        "_last_ping",
        "_outbox",
        "bytes_to_send",
        "codec",
        "seal_into",
        "state",
    )

    def __init__(self, codec: Codec, channel: Channel) -> None:
        self.codec = codec
        self.state = State.CONNECTING
        self.bytes_to_send = 0
        self.seal_into = channel.seal_into
        self._channel = channel
        self._last_ping = 0
        self._outbox: list[bytes] = []
        self._behind: list[Frame] = []  # the first large frame after those, and all that follow it

    @property
    def takes_frames(self) -> bool:
        """Whether frames that others queue still reach the peer."""
        return self.state in TAKING

    @property
    def unsealed(self) -> list[LargeFrame]:
        """The queued large frames that are not sealed yet; the first holds back all that follow."""
        return [each for each in self._behind if isinstance(each, LargeFrame) and each.work]

    @property
    def is_held_back(self) -> bool:
        """Whether the next frame to send is not sealed yet."""
        first = self._behind[0] if self._behind and not self._outbox else None
        return isinstance(first, LargeFrame) and first.work > 0

    def data_to_send(self) -> bytes:
        """Return, once, the bytes for the transport: all queued frames, sealed together."""
        plaintext = b"".join(self.all_frames())
        return self.handshake_to_send() + (self._channel.seal(plaintext) if plaintext else b"")

    def handshake_to_send(self) -> bytes:
        """Return, once, the bytes to send before anything sealed."""
        return self._channel.handshake_to_send()

    def all_frames(self) -> list[bytes]:
        """Return, once, all queued frames, and do what is left to do on large ones.

        They are not joined: other sessions may share their bytes.
        """
        frames = self._outbox
        for each in self._behind:
            frames.extend(_pieces(each))
        self.discard_queued()
        return frames

    def plaintext_to_send(self) -> bytes:
        """Return, once, the next queued frames; seal them in order with `seal_into`.

        These are all frames, unless there are many bytes or large frames. Then long parts come
        alone: sessions that get the same frames share their bytes. Nothing comes while a large
        frame is not sealed.
        """
        outbox = self._outbox
        if not outbox:
            self._take_from_behind()
            if not outbox:
                return b""
        if len(outbox) == 1:
            plaintext = outbox[0]
            self._outbox = []
        elif self.bytes_to_send <= LARGE_CONTENT:
            plaintext = b"".join(outbox)
            self._outbox = []
        else:
            plaintext = take_joined(outbox, LARGE_CONTENT)
        self.bytes_to_send -= len(plaintext)
        return plaintext

    def queue_frames(self, frames: Frame) -> None:
        """Queue complete frames, encoded with the codec of this session's key."""
        if self._behind or isinstance(frames, LargeFrame):
            self._behind.append(frames)
        else:
            self._outbox.append(frames)
        self.bytes_to_send += len(frames)

    def forget_keys(self) -> None:
        """Forget the session's keys: nothing is sent or received any more."""
        self._channel.close()

    def discard_queued(self) -> None:
        """Drop the queued frames that are not sent yet."""
        self._outbox, self._behind = [], []
        self.bytes_to_send = 0

    def send(self, message_type: int, header: Header, content: bytes = b"") -> None:
        """Queue one frame.

        Raises:
            LocalProtocolError: The session is over, the secure channel is not open yet, or the
                frame exceeds a limit or cannot be encoded.
        """
        if self.state in SILENT:
            raise LocalProtocolError("the session is over")
        if not self._channel.is_open:
            raise LocalProtocolError("the secure channel is not open yet")
        self.queue_frames(self.codec.encode_parts(message_type, header, content))

    def send_error(self, error: RequestError) -> None:
        """Queue an ERROR that reports a faulty request."""
        ref = error.ref if error.ref is None or len(error.ref) <= MAX_REF else None
        header = Error(code=error.code, message=error.message[:MAX_TEXT], ref=ref)
        self.send(MessageType.ERROR, header)

    def send_ping(self) -> int:
        """Queue a ping and return its number, which `PongReceived` repeats."""
        self._last_ping += 1
        self.send(MessageType.HEARTBEAT, Heartbeat(self._last_ping), PING)
        return self._last_ping

    def answer(self, event: PingReceived | RequestFaulted) -> None:
        """Queue the answer to a ping or to a faulty request."""
        if isinstance(event, PingReceived):
            self.send(MessageType.HEARTBEAT, Heartbeat(event.n), PONG)
        else:
            self.send_error(event.error)

    # Within

    def _take_from_behind(self) -> None:
        """Move the frames before the first that is not sealed yet."""
        taken = 0
        for each in self._behind:
            if isinstance(each, LargeFrame) and each.work:
                break
            self._outbox.extend(_pieces(each))
            taken += 1
        del self._behind[:taken]


def _pieces(frames: Frame) -> tuple[bytes, ...]:
    """Return the parts of a frame, and do what is left to do on a large one."""
    return frames.sealed() if isinstance(frames, LargeFrame) else (frames,)
