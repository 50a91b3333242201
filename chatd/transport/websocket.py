"""`WebSocketTransport`: carries a byte stream in the binary messages of a WebSocket.

It is the protocol of the connection below, and the transport of the session above. Where a message
ends means nothing: the contents of all messages together are the stream. Framing is RFC 6455's, by
the package `websockets`, which only computes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableDescriptor,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    ITransport,
)
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from websockets.frames import CTRL_OPCODES, Close, Frame, Opcode
from websockets.protocol import CLIENT, Protocol
from zope.interface import directlyProvides, implementer

from chatd.transport.closing import CLOSE_TIMEOUT_S
from chatd.transport.streams import StreamTransport
from chatd.transport.timer import Timer
from chatd.transport.websocketstates import Phase, Step, advance
from chatd.transport.writers import CopyingTransport, writer_for

__all__ = ["NORMAL", "SHORT", "SMALL", "SUBPROTOCOL", "UNSUPPORTED", "WebSocketTransport"]

SUBPROTOCOL = "chatd.v1"
"""The name of chatd's protocol on a WebSocket; RFC 6455, section 1.9."""
NORMAL, UNSUPPORTED = 1000, 1003
"""Codes of a Close frame: an ordinary end, and a message that is not binary; section 7.4.1."""
SMALL, SHORT = 64, 1024
"""A frame with fewer bytes than the first carries no message of its own: an envelope has more. A
binary frame with fewer than the second takes more time for itself than for its bytes."""
_PONG = 0x80 | Opcode.PONG
_WRITING = frozenset({Phase.OPEN, Phase.PEER_DONE})


@implementer(IPushProducer)
class _Gate:
    """Passes the calls to pause and to resume on, and knows whether the peer reads.

    Args:
        producer: The producer.
        resumed: Called before the producer goes on.

    Attributes:
        is_open: Whether the peer reads as fast as this side writes.
    """

    def __init__(self, producer: IPushProducer, resumed: Callable[[], None]) -> None:
        self._producer = producer
        self._resumed = resumed
        self.is_open = True

    def pauseProducing(self) -> None:
        """Hold back: the peer does not read fast enough."""
        self.is_open = False
        self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        """Go on: the peer reads."""
        self.is_open = True
        self._resumed()
        self._producer.resumeProducing()

    def stopProducing(self) -> None:
        """Stop: the connection has ended."""
        self.is_open = False
        self._producer.stopProducing()


class WebSocketTransport(CopyingTransport, ProtocolWrapper):
    """One side of a WebSocket whose opening handshake is done, except for writing its last bytes.

    It claims neither to be a UNIX socket, whose user would be a proxy, nor that it can be
    half-closed: a Close frame takes the place of that.

    Args:
        websocket: This side's framing.
        session: The protocol of the session; it takes half-closed connections.
        clock: The reactor, or a test's clock.
        peer: The address of the peer; None for that of the connection.
        is_private: Whether nobody can listen on the way from the peer, though the connection itself
            has no TLS.
    """

    def __init__(
        self,
        websocket: Protocol,
        session: IHalfCloseableProtocol,
        clock: IReactorTime,
        peer: IAddress | None = None,
        *,
        is_private: bool = False,
    ) -> None:
        # Not that of `ProtocolWrapper`, which needs a factory that keeps all its protocols.
        self.wrappedProtocol = session  # type: ignore[assignment]
        self._session = session
        self._websocket = websocket
        self._masks = websocket.side is CLIENT
        self._peer = peer
        self._is_private = is_private
        self._phase = Phase.OPEN
        self._close = b""
        self._pong: bytes | None = None
        self._gate: _Gate | None = None
        self._last_call = Timer(clock)

    # From the connection

    def makeConnection(self, transport: ITransport) -> None:
        """Write the last bytes of the opening handshake, and begin the session."""
        is_private = self._is_private or ISSLTransport.providedBy(transport)
        # Even without any interface: it would seem to have those of the transport below.
        directlyProvides(self, *([ISSLTransport] if is_private else []))
        self.connected = 1
        self.transport = transport
        self._stream = cast(StreamTransport, transport)
        self._writer = writer_for(self._stream)
        for piece in self._websocket.data_to_send():
            self._writer.write(piece)
        self.wrappedProtocol.makeConnection(cast(ITransport, self))

    def dataReceived(self, data: bytes) -> None:
        """Pass the contents of binary messages on, and act on all other frames."""
        if self._phase is Phase.CLOSED:
            return
        self._websocket.receive_data(data)
        frames = cast("list[Frame]", self._websocket.events_received())
        # `websockets` answers each ping and each Close at once. Here, the last of many pings is
        # answered (section 5.5.3), and a Close when nothing is owed to the peer.
        sent = self._websocket.data_to_send()
        close = b"".join(piece for piece in sent if piece and piece[0] != _PONG)
        contents, end = self._sort(frames)
        empty = sum(_carries_nothing(frame) for frame in frames)
        self.carried(empty, sum(len(frame.data) < SHORT for frame in frames) - empty)
        if frames and self._phase is not Phase.CLOSING:
            self.wrappedProtocol.dataReceived(contents)
        self._answer_ping()
        if end is Opcode.CLOSE:
            self._peer_closed(close)
        elif end is Opcode.TEXT:
            self._fault(_close_frame(UNSUPPORTED, "binary messages only", masks=self._masks))
        elif close:
            self._fault(close)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End the session: the connection has ended."""
        self._last_call.stop()
        self._phase = advance(self._phase, Step.LOST)
        self.wrappedProtocol.connectionLost(reason)

    def pass_on_last(self, data: bytes) -> None:
        """Pass on the contents of the last frames; the connection has ended, and gets no answer."""
        if self._phase is not Phase.CLOSED:
            self._websocket.receive_data(data)
            contents, _ = self._sort(cast("list[Frame]", self._websocket.events_received()))
            self.wrappedProtocol.dataReceived(contents)

    # From the session

    def write(self, data: bytes | memoryview) -> None:
        """Send bytes as one message."""
        if self._phase in _WRITING:
            self._writer.write(Frame(Opcode.BINARY, data).serialize(mask=self._masks))

    def loseConnection(self) -> None:
        """Send a Close, and close when the peer has answered it; at once if it sent one before."""
        before, self._phase = self._phase, advance(self._phase, Step.CLOSED)
        if before is Phase.OPEN:
            self._writer.write(_close_frame(NORMAL, "", masks=self._masks))
        elif before is Phase.PEER_DONE:
            self._writer.write(self._close)
            self._finish()

    def abortConnection(self) -> None:
        """Cut off the connection."""
        self._phase = advance(self._phase, Step.LOST)
        abort = getattr(self._stream, "abortConnection", self._stream.loseConnection)
        abort()

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        """Register a push producer."""
        self._gate = _Gate(producer, self._send_pong)
        self._stream.registerProducer(self._gate, streaming)

    def unregisterProducer(self) -> None:
        """Remove the producer, if there is one."""
        if self._gate is not None:
            self._gate = None
            self._stream.unregisterProducer()

    def getPeer(self) -> IAddress:
        """Return the address of the peer, which a proxy may have told."""
        return self._stream.getPeer() if self._peer is None else self._peer

    # For the server

    @property
    def gathered_bytes(self) -> int:
        """How many bytes of an incomplete frame have arrived."""
        return len(self._websocket.reader.buffer)

    def carried(self, empty_frames: int, short_frames: int) -> None:
        """Note which frames have arrived, before the session gets their contents.

        Args:
            empty_frames: How many frames carry no message of their own: control frames of any
                length, and small binary frames.
            short_frames: How many other short frames there are. Each may be a message, or a piece
                of a message.
        """

    # Within

    def _sort(self, frames: list[Frame]) -> tuple[bytes, int | None]:
        """Return the contents of the binary messages, and the opcode that ends them, if any."""
        contents = []
        end = None
        for frame in frames:
            if frame.opcode is Opcode.PING:
                self._pong = bytes(frame.data)
            elif frame.opcode is Opcode.TEXT or frame.opcode is Opcode.CLOSE:
                end = frame.opcode
                break
            elif frame.opcode is not Opcode.PONG:
                contents.append(frame.data)
        return bytes(contents[0]) if len(contents) == 1 else b"".join(contents), end

    def _answer_ping(self) -> None:
        if self._gate is not None and self._gate.is_open:
            self._send_pong()

    def _send_pong(self) -> None:
        pong, self._pong = self._pong, None
        if pong is not None and self._phase in _WRITING:
            self._writer.write(Frame(Opcode.PONG, pong).serialize(mask=self._masks))

    def _peer_closed(self, close: bytes) -> None:
        self._close = close
        if self._phase is Phase.CLOSING:
            self._phase = advance(self._phase, Step.PEER_CLOSED)
            self._finish()
        elif self._phase is Phase.OPEN:
            self._phase = advance(self._phase, Step.PEER_CLOSED)
            self._session.readConnectionLost()

    def _fault(self, close: bytes) -> None:
        """Send a Close with the peer's fault as its reason, and end the connection."""
        if self._phase is Phase.OPEN:
            self._writer.write(close)
        if self._phase is not Phase.CLOSED:
            self._phase = advance(self._phase, Step.FAULTED)
            self._last_call.start(CLOSE_TIMEOUT_S, self.abortConnection)
            self._finish()

    def _finish(self) -> None:
        """Close the connection after its last byte, so that the peer can still read that.

        A TCP connection that is closed both ways while bytes of the peer are unread is reset, and
        the peer would lose the Close frame. So only the sending half is closed, where that works.
        """
        self.unregisterProducer()
        if IHalfCloseableDescriptor.providedBy(self._stream) and not ISSLTransport.providedBy(
            self._stream
        ):
            self._stream.resumeProducing()  # the end of the peer is read, too
            self._stream.loseWriteConnection()
        else:
            self._stream.loseConnection()


def _carries_nothing(frame: Frame) -> bool:
    """Return whether a frame has no message of its own: it costs as much as one that does."""
    return frame.opcode in CTRL_OPCODES or len(frame.data) < SMALL


def _close_frame(code: int, reason: str, *, masks: bool) -> bytes:
    return Frame(Opcode.CLOSE, Close(code, reason).serialize()).serialize(mask=masks)
