"""`WebChannel`: an HTTP connection, until it closes or becomes a WebSocket."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Protocol

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IProtocol,
    IReactorTime,
    ISSLTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, Request, datetimeToString
from zope.interface import implementer

from chatd.transport.streams import carrier_of, peer_of
from chatd.transport.timer import Timer
from chatd.web.answers import Answer
from chatd.web.asked import Asked

__all__ = [
    "HEAD_BYTES",
    "HEAD_TIMEOUT_S",
    "MAX_FIELDS",
    "MAX_HEAD",
    "READ_TIMEOUT_S",
    "Front",
    "WebChannel",
]

MAX_HEAD = 8 * 1024
"""Longest head of a request, in bytes: its first line and its header fields."""
MAX_FIELDS = 100
"""The most header fields of a request."""
HEAD_BYTES = 4 * 1024
"""How many bytes are read at once; behind a request for a WebSocket, they may be its frames."""
HEAD_TIMEOUT_S = 10.0
"""The time from a connection, or from an answer, to the next complete request, in seconds."""
READ_TIMEOUT_S = 30.0
"""The time after that for reading the last answer, in seconds."""

_TARGET = re.compile(rb"[!-~]+")
"""The target of a request: visible ASCII; RFC 9112, section 3.2."""
_TLS = b"\x16"
"""The first byte of a TLS handshake; RFC 8446, section 5.1. No line of a request begins with it."""
_FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*")
"""A header field: no control characters; RFC 9110, sections 5.5 and 5.6.2."""


class Front(Protocol):
    """The interface of the front, as its channels use it."""

    clock: IReactorTime
    unix_time: Callable[[], float]

    def connected(self, channel: WebChannel) -> None:
        """Count a new connection."""

    def identified(self, channel: WebChannel) -> None:
        """Note that a proxy has told the client's address."""

    def disconnected(self, channel: WebChannel) -> None:
        """Forget a connection."""

    def answer(self, asked: Asked) -> Answer | IProtocol:
        """Return the answer to a request, or the protocol that takes over the connection."""


class _Request(Request):
    """A request; it has no body, and its channel answers it."""

    channel: WebChannel

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Answer the request: its head is complete."""
        self.method, self.uri, self.clientproto = command, path, version
        self.channel.answer(self)

    def give(self, answer: Answer, unix_time: float) -> None:
        """Write an answer."""
        phrase = HTTPStatus(answer.status).phrase.encode()
        self.setResponseCode(answer.status, phrase)
        self.setHeader(b"Date", datetimeToString(unix_time))
        for name, value in answer.all_fields.items():
            self.setHeader(name, value)
        self.write(answer.body)
        self.finish()


@implementer(IHalfCloseableProtocol)
class WebChannel(HTTPChannel):
    """An HTTP connection.

    The time for each request is limited, however its bytes arrive. Requests have no bodies. After
    each answer, other connections have their turn, and the peer must read it before the next.

    Args:
        front: Answers the requests.
    """

    requestFactory = _Request
    MAX_LENGTH = totalHeadersSize = MAX_HEAD
    maxHeaders = MAX_FIELDS
    timeOut = None  # Twisted's begins again with each byte
    factory = None  # it would write Twisted's log of requests

    def __init__(self, front: Front) -> None:
        super().__init__()
        self._front = front
        self._deadline = Timer(front.clock)
        self._successor: IProtocol | None = None
        self._peer_reads = True
        self._peer_is_done = False
        self._is_closing = False

    # From the transport

    def connectionMade(self) -> None:
        """Wait for a request."""
        super().connectionMade()
        carrier_of(self.transport).bufferSize = HEAD_BYTES
        self._await_request()
        self._front.connected(self)

    def dataReceived(self, data: bytes) -> None:
        """Read requests, unless the connection is being closed."""
        if self._is_closing:
            return
        if data.startswith(_TLS):  # it has no line whose fault would show
            self._respondToBadRequestAndDisconnect()
        else:
            super().dataReceived(data)

    def loseConnection(self) -> None:
        """Close when all is written; what still arrives is dropped."""
        self._is_closing = True
        super().loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget the connection."""
        self._deadline.stop()
        self._front.disconnected(self)
        super().connectionLost(reason)

    def readConnectionLost(self) -> None:
        """Close after the answers to all requests: the peer sends nothing more."""
        self._peer_is_done = True
        if not self.paused:
            self.leave()

    def writeConnectionLost(self) -> None:
        """Do nothing: this side does not close its sending half alone."""

    def peer_told(self) -> None:
        """Note that a PROXY header has told the client's address."""
        self._front.identified(self)

    def pauseProducing(self) -> None:
        """Read no further requests: the peer does not read the answers."""
        self._peer_reads = False
        super().pauseProducing()

    def resumeProducing(self) -> None:
        """Read on."""
        self._peer_reads = True
        super().resumeProducing()
        self._go_on_later()

    # From Twisted's reading of HTTP

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse a line that is too long."""
        self._respondToBadRequestAndDisconnect()

    def headerReceived(self, line: bytes) -> bool:
        """Take a header field; refuse a damaged field, and a request that has a body."""
        if _FIELD.fullmatch(line) is None:
            self._respondToBadRequestAndDisconnect()
            return False
        name, _, value = line.partition(b":")
        is_length, is_coding = (
            name.lower() == each for each in (b"content-length", b"transfer-encoding")
        )
        if is_coding or (is_length and value.strip() != b"0"):
            self._respondToBadRequestAndDisconnect()
            return False
        return bool(super().headerReceived(line))

    def requestDone(self, request: Request) -> None:
        """Let others have their turn before the next request."""
        self.paused = True
        super().requestDone(request)
        self._await_request()
        self._go_on_later()

    def rawDataReceived(self, data: bytes) -> None:
        """Take bytes behind a request: they are the successor's, if there is one."""
        if self._successor is None:
            super().rawDataReceived(data)
        else:
            self._successor.dataReceived(data)

    # For requests and the front

    def answer(self, request: _Request) -> None:
        """Answer a request, or give the connection to a successor."""
        assert self.transport is not None
        if not _TARGET.fullmatch(request.uri):
            self._respondToBadRequestAndDisconnect()
            return
        asked = Asked(
            request.method,
            request.uri,
            request.clientproto,
            request.requestHeaders,
            peer_of(self.transport),
            self.transport.getHost(),
            ISSLTransport.providedBy(self.transport),
        )
        answer = self._front.answer(asked)
        if isinstance(answer, Answer):
            request.give(answer, self._front.unix_time())
        else:
            self._hand_over(answer)

    def leave(self) -> None:
        """Close when the last answer is written; the peer may read it for a while."""
        self.loseConnection()
        self._deadline.start(READ_TIMEOUT_S, self.abort)

    def abort(self) -> None:
        """Cut off the connection."""
        transport: Any = self.transport
        getattr(transport, "abortConnection", transport.loseConnection)()

    # Within

    def _await_request(self) -> None:
        self._deadline.start(HEAD_TIMEOUT_S, self.leave)

    def _go_on_later(self) -> None:
        self._front.clock.callLater(0, self._go_on)

    def _go_on(self) -> None:
        """Act on the next request if all of the last answer is written."""
        if self._deadline.is_running and self._peer_reads:
            self.paused = False
            self.dataReceived(b"")
            if self._peer_is_done and not self.paused:
                self.leave()

    def _hand_over(self, successor: IProtocol) -> None:
        """Give the connection to a successor; this channel hears no more of it."""
        self._deadline.stop()
        self._front.disconnected(self)
        self._successor = successor
        self.requests.clear()
        transport: Any = self.transport
        transport.unregisterProducer()
        if isinstance(transport, FileDescriptor):
            transport.doWrite()  # the successor's writer would overtake the last answer
        if isinstance(transport, ProtocolWrapper):  # of TLS, or of the PROXY protocol
            transport.wrappedProtocol = successor
        else:
            transport.protocol = successor
        successor.makeConnection(transport)
