"""The server's side of a WebSocket: its opening handshake, and its transport for a session."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from twisted.internet.interfaces import IReactorTime, ITransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.server import ServerProtocol as Framing
from websockets.typing import Subprotocol

from chatd.errors import ErrorCode
from chatd.server.factory import ChatFactory
from chatd.server.protocol import ServerProtocol
from chatd.server.readbudget import ReadBudget
from chatd.transport.streams import carrier_of
from chatd.transport.websocket import SUBPROTOCOL, WebSocketTransport
from chatd.web.answers import Answer, refusal
from chatd.web.asked import Asked
from chatd.web.proxies import Client
from chatd.wire.channel import sealed_length

__all__ = [
    "FIRST_BYTES",
    "FRAME_ALLOWANCE",
    "MAX_EARLY_BYTES",
    "MAX_EARLY_FRAMES",
    "SHORT_FRAMES",
    "USUAL_BYTES",
    "ServerWebSocket",
    "open_session",
]

MAX_EARLY_FRAMES = 1_024
"""How many control frames and small frames may arrive before the session, and after it."""
USUAL_BYTES = 64 * 1024
"""How many bytes are read at once in the session."""
FIRST_BYTES = 1024
"""How many bytes are read at once before the session: 64 KiB of empty frames take 50 ms."""
MAX_EARLY_BYTES = 128 * 1024
"""How many bytes of an incomplete frame of a WebSocket may have arrived before the session."""
_HANDSHAKE = frozenset(
    ["host", "upgrade", "connection"]
    + [f"sec-websocket-{each}" for each in ("key", "version", "protocol", "extensions")]
)
"""The fields of the handshake; RFC 6455, section 4.2.1."""
SHORT_FRAMES = 1024
"""The longest read of frames that is acted on at once, in bytes: it has up to 170 empty frames,
which take half a millisecond."""
FRAME_ALLOWANCE = 64 * 1024
"""How much longer than the longest message a frame of a WebSocket may be, in bytes."""


class ServerWebSocket(WebSocketTransport):
    """The transport of a client's session.

    Args:
        framing: The server's framing.
        session: The server's side of the session.
        clock: The reactor, or a test's clock.
        budget: The time for long reads.
        client: The client, which a proxy may have told.
    """

    def __init__(
        self,
        framing: Framing,
        session: ServerProtocol,
        clock: IReactorTime,
        budget: ReadBudget,
        client: Client,
    ) -> None:
        super().__init__(framing, session, clock, client.address, is_private=client.is_private)
        self._server = session
        self._clock = clock
        self._budget = budget
        self._waiting = b""
        self._began: float | None = None
        self._needless = 0
        self._read_bytes = FIRST_BYTES

    def makeConnection(self, transport: ITransport) -> None:
        """Begin the session, and read little until its client is known."""
        super().makeConnection(transport)
        carrier_of(self).bufferSize = self._read_bytes

    def dataReceived(self, data: bytes) -> None:
        """Act on frames, perhaps in a later turn, and then decide how much is read at once."""
        if self._waiting:  # TLS passes on what it has, though it is paused
            data, self._waiting = self._waiting + data, b""
            if self._server.connection.is_over:
                self._act_on(data)
            else:
                self._waiting = data
        elif not self._must_wait(data):
            self._act_on(data)
        if self._waiting:
            self._server.note_carried(0, 0, self.gathered_bytes + len(self._waiting))
        most = USUAL_BYTES if self._server.connection.is_established else FIRST_BYTES
        if most != self._read_bytes:
            self._read_bytes = carrier_of(self).bufferSize = most

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Pass on the contents of frames that wait, then end the session."""
        data, self._waiting = self._waiting, b""
        try:
            if data:
                self.pass_on_last(data)
        except Exception:
            self._server.log.failure("the last frames of a client could not be read")
        finally:
            super().connectionLost(reason)

    def peer_told(self) -> None:
        """Do nothing: a PROXY header that came with the request is in `client` already."""

    def carried(self, empty_frames: int, short_frames: int) -> None:
        """Count the frames, and the bytes of an incomplete frame, as the client's."""
        if self._began is not None:  # the session counts its own time
            self._budget.spend(self._clock.seconds() - self._began)
            self._began = None
        server, gathered = self._server, self.gathered_bytes
        server.note_carried(empty_frames, short_frames, gathered)
        if server.connection.is_established:
            self._needless = 0
            return
        # After a session, many messages of the client may be on their way.
        self._needless += empty_frames if server.connection.is_over else empty_frames + short_frames
        is_held = server.session is None and gathered > MAX_EARLY_BYTES
        is_too_much = is_held or self._needless > MAX_EARLY_FRAMES
        if is_too_much and server.connection.is_over:
            self.abortConnection()
        elif is_too_much:
            reason = "too much arrived before the session began"
            server.end_session(ErrorCode.OVERLOADED, reason)
            self._needless = 0

    def _must_wait(self, data: bytes) -> bool:
        """Let a long read wait if it is other clients' turn; return whether it does."""
        if len(data) <= SHORT_FRAMES or self._server.connection.is_over:
            return False
        asked = self._budget.ask_to_read(len(data))
        if asked is None:
            return False
        self._waiting = data
        self._server.pause_for_turn()
        asked.addCallback(self._turn_came).addErrback(self._failed)
        return True

    def _act_on(self, data: bytes) -> None:
        self._began = self._clock.seconds() if len(data) > SHORT_FRAMES else None
        self._server.has_turn = len(data) > SHORT_FRAMES
        try:
            super().dataReceived(data)
        finally:
            self._server.has_turn = False

    def _turn_came(self, _: None) -> None:
        data, self._waiting = self._waiting, b""
        if data:
            self._act_on(data)
            self._server.resume_in_turn()

    def _failed(self, failure: Failure) -> None:
        self._server.log.failure("frames could not be read", failure=failure)
        self._server.fail()


def open_session(chat: ChatFactory[Any], asked: Asked, client: Client) -> Answer | ServerWebSocket:
    """Answer a request for a WebSocket.

    Args:
        chat: Serves the sessions.
        asked: The request.
        client: The client.

    Returns:
        The transport of the session, or an answer that refuses the request.
    """
    if asked.version != b"HTTP/1.1":  # RFC 6455, section 4.1
        why = "a WebSocket needs HTTP/1.1"
        return refusal(HTTPStatus.UPGRADE_REQUIRED, why, {b"Upgrade": b"websocket"})
    max_frame = sealed_length(chat.codec.max_frame) + FRAME_ALLOWANCE
    framing = Framing(subprotocols=[Subprotocol(SUBPROTOCOL)], max_size=(None, max_frame))
    headers = Headers()
    for name, value in asked.fields():
        if name.lower() not in _HANDSHAKE:
            continue
        if not value.isascii():  # `websockets` 16 fails if it has to quote such a value
            return refusal(HTTPStatus.BAD_REQUEST, f"the field {name} must be ASCII")
        headers[name] = value
    # `websockets` reads what twisted.web has read before, so that both agree about it.
    framing.receive_data(Request(asked.target.decode("latin-1"), headers).serialize())
    (request,) = framing.events_received() or (None,)
    if not isinstance(request, Request):
        return refusal(HTTPStatus.BAD_REQUEST)
    response = framing.accept(request)
    status = HTTPStatus(response.status_code)
    if status is not HTTPStatus.SWITCHING_PROTOCOLS:
        why = f"this is a WebSocket of the subprotocol {SUBPROTOCOL}"
        return refusal(status, why, {b"Upgrade": b"websocket"})
    protocol = chat.buildProtocol(client.address)
    if protocol is None:
        return refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the server is shutting down")
    framing.send_response(response)
    return ServerWebSocket(framing, protocol, chat.clock, chat.engine.read_budget, client)
