"""`WebSocketEndpoint`: connects to a server's WebSocket; needs the extra `web`."""

from __future__ import annotations

import re
from typing import Any, cast
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import optionsForClientTLS
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from websockets.client import ClientProtocol as Framing
from websockets.exceptions import InvalidURI
from websockets.protocol import OPEN
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI, parse_uri
from zope.interface import implementer

from chatd.connection.limits import HANDSHAKE_TIMEOUT_S
from chatd.transport.loss import NO_TLS, UNTRUSTED, why_lost
from chatd.transport.timer import Timer
from chatd.transport.websocket import SUBPROTOCOL, WebSocketTransport

__all__ = ["MAX_ANSWER", "WebSocketEndpoint"]

MAX_ANSWER = 16 * 1024
"""Longest head of an answer to the request for a WebSocket, in bytes."""
_END = b"\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ?([\x20-\x7e]*)")
_LOCATION = re.compile(rb"(?im)^location:[ \t]*([\x21-\x7e]{1,500})[ \t]*\r?$")
_SWITCHING, _REDIRECTS = 101, range(300, 400)
_HINTS = {
    200: "it is a page, and the address of the WebSocket ends in /ws",
    400: "the way to the server may not pass WebSockets on",
    403: "the way to the server may be closed, or the server does not know this name",
    404: "the address of the WebSocket ends in /ws",
    426: "the way to the server may not pass WebSockets on",
    502: "the proxy there does not reach the server",
    503: "the server may be stopping",
}
_TLS_HINTS = {
    UNTRUSTED: "SSL_CERT_FILE can name a file of certificates to trust",
    NO_TLS: "the server may not use TLS there: write ws:// instead of wss://",
}

_GREETING_BYTES = 16
_FRAME = re.compile(rb"\A(.{4})?\x89CHAT", re.DOTALL)
"""A server that begins a session without a WebSocket: with the preamble, or with a frame."""


@implementer(IStreamClientEndpoint)
class WebSocketEndpoint:
    """A server's WebSocket. Over `wss://`, the server's certificate is verified.

    Args:
        reactor: The reactor.
        url: The address, such as `wss://chat.example.org/ws`.

    Attributes:
        host: The server's host.

    Raises:
        ValueError: It is not the address of a WebSocket.
    """

    def __init__(self, reactor: Any, url: str) -> None:  # noqa: ANN401
        self._clock: IReactorTime = reactor
        self._url = url
        self._uri = uri = _parsed(url)
        self.host = uri.host
        self._wrappedEndpoint: IStreamClientEndpoint = HostnameEndpoint(
            reactor, uri.host, uri.port, timeout=HANDSHAKE_TIMEOUT_S
        )
        if uri.secure:
            options = optionsForClientTLS(uri.host)
            self._wrappedEndpoint = wrapClientTLS(options, self._wrappedEndpoint)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect.

        Returns:
            A Deferred that fires with the protocol when the WebSocket is open. It fails with a
            `ConnectError` if nothing listens there, or something else answers.
        """
        opening = Factory.forProtocol(
            lambda: _Opening(self._url, self._uri, self._clock, protocolFactory)
        )
        opening.noisy = False
        connecting: Deferred[Any] = self._wrappedEndpoint.connect(opening)
        return connecting.addCallback(lambda protocol: cast(_Opening, protocol).opened)


class _Opening(Protocol):
    """Asks a server to open a WebSocket; then the session's transport takes over.

    Args:
        url: The address of the WebSocket, for errors.
        uri: The same address, parsed.
        clock: The reactor, or a test's clock.
        factory: Builds the protocol of the session.

    Attributes:
        opened: Fires with that protocol.
    """

    def __init__(
        self, url: str, uri: WebSocketURI, clock: IReactorTime, factory: IProtocolFactory
    ) -> None:
        self._url = url
        self._clock = clock
        self._factory = factory
        self._framing = Framing(uri, subprotocols=[Subprotocol(SUBPROTOCOL)], max_size=None)
        self._answer = b""
        self._timer = Timer(clock)
        self._fault = ""
        self.opened: Deferred[IProtocol] = Deferred(lambda _: self._abort())

    def connectionMade(self) -> None:
        """Send the request."""
        assert self.transport is not None
        self._timer.start(HANDSHAKE_TIMEOUT_S, self._time_out)
        self._framing.send_request(self._framing.connect())
        for piece in self._framing.data_to_send():
            self.transport.write(piece)

    def dataReceived(self, data: bytes) -> None:
        """Read the head of the answer."""
        self._answer += data
        if _FRAME.search(self._answer[:_GREETING_BYTES]):
            self._refuse("is no WebSocket: chatd's own protocol answers there; give tcp:HOST:PORT")
            return
        head, end, rest = self._answer.partition(_END)
        if end:
            self._answered(head + end, rest)
        elif len(self._answer) > MAX_ANSWER:
            self._refuse("gives an answer that is too long for a WebSocket")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Report that there is no WebSocket."""
        self._timer.stop()
        if not self.opened.called:
            lost = why_lost(reason)
            hints = [hint for fault, hint in _TLS_HINTS.items() if fault in lost]
            ended = ": " + "; ".join([lost, *hints]) if lost else " closed the connection"
            told = f" {self._fault}" if self._fault else ended
            self.opened.errback(ConnectError(string=self._url + told))

    def _answered(self, head: bytes, rest: bytes) -> None:
        status = _STATUS.match(head)
        if status is None:
            self._refuse("does not answer in HTTP")
        elif int(status[1]) != _SWITCHING:
            self._refuse(_told(int(status[1]), status[2].decode(), head))
        else:
            self._framing.receive_data(head)
            if self._framing.state is OPEN:
                self._hand_over(rest)
            else:
                self._refuse(f"does not open a WebSocket: {self._framing.handshake_exc}")

    def _hand_over(self, rest: bytes) -> None:
        """Begin the session; this protocol hears no more of the connection."""
        self._timer.stop()
        assert self.transport is not None
        try:
            session = self._factory.buildProtocol(self.transport.getPeer())
        except Exception:
            self.opened.errback()
            self._abort()
            return
        if session is None:
            self._refuse("is not wanted any more")
            return
        self._framing.events_received()
        transport: Any = self.transport
        successor = WebSocketTransport(
            self._framing, cast(IHalfCloseableProtocol, session), self._clock
        )
        if isinstance(transport, ProtocolWrapper):  # of TLS
            transport.wrappedProtocol = successor
        else:
            transport.protocol = successor
        successor.makeConnection(transport)
        self.opened.callback(session)
        if rest:
            successor.dataReceived(rest)

    def _time_out(self) -> None:
        self._refuse(f"did not answer within {HANDSHAKE_TIMEOUT_S:g} s")

    def _refuse(self, why: str) -> None:
        self._fault = "".join(each if each.isprintable() else " " for each in why)
        self._abort()

    def _abort(self) -> None:
        assert self.transport is not None
        cast(Any, self.transport).abortConnection()


def _parsed(url: str) -> WebSocketURI:
    try:
        uri = parse_uri(url)
    except (InvalidURI, ValueError) as error:
        raise ValueError("it is not the address of a WebSocket") from error
    if uri.user_info is not None:
        raise ValueError("it takes no user and no password; give --name and --password")
    if urlsplit(url).port == 0:  # then `uri` has the usual port
        raise ValueError("0 is not a port to connect to")
    return uri


def _told(status: int, phrase: str, head: bytes) -> str:
    """Return what a server that opens no WebSocket answered, and what to do."""
    told = f"answered {status} {phrase}".rstrip()
    location = _LOCATION.search(head)
    if status in _REDIRECTS and location is not None:
        return f"{told}, and names {location[1].decode()}; give the address that is meant"
    return f"{told}; {_HINTS[status]}" if status in _HINTS else told
