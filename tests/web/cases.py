"""Base cases for the tests of the web front: a server, and browsers and peers driven by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IPushProducer, ISSLTransport
from twisted.trial.unittest import SynchronousTestCase
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.typing import Subprotocol
from websockets.uri import parse_uri
from zope.interface import implementer

from chatd.server.factory import ChatFactory
from chatd.transport.websocket import SUBPROTOCOL
from chatd.web.origins import Origins
from chatd.web.pagefiles import PageFile
from chatd.web.proxies import Proxies
from chatd.web.site import WebFront
from chatd.wire.messages import Message, MessageType, SessionAck
from tests.fakes.peers import SocketTransport
from tests.fakes.reactors import TurnClock

PAGE = {
    b"/": PageFile(b"<!doctype html>hello", b"text/html; charset=utf-8", b'"one"'),
    b"/app/main.js": PageFile(b"main()", b"text/javascript; charset=utf-8", b'"two"'),
}
HOST = "Host: localhost:8080"
OPENING = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol: chatd.v1",
)
"""The header fields of a request for a WebSocket, with the key of RFC 6455, section 1.3."""
CLIENT = IPv4Address("TCP", "192.0.2.1", 40_000)


@implementer(IPushProducer)
class WebConnection(SocketTransport):
    """The socket of an HTTP connection."""

    def __init__(self, protocol: Any, peer: Any = CLIENT, host: str = "192.0.2.80") -> None:
        super().__init__(protocol)
        self.peer = peer
        self.host = IPv4Address("TCP", host, 8080)
        self.disconnecting = False

    def getPeer(self) -> Any:
        return self.peer

    def getHost(self) -> Any:
        return self.host

    def writeSequence(self, pieces: Sequence[bytes]) -> None:
        self.write(b"".join(pieces))

    def stopProducing(self) -> None:
        self.loseConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert self._producer is None, "there is a producer already"
        super().registerProducer(producer, streaming)

    def loseConnection(self) -> None:
        self.disconnecting = True
        super().loseConnection()


@implementer(ISSLTransport)
class TlsConnection(WebConnection):  # type: ignore[misc,override]  # it has the called methods
    """The socket of an HTTP connection over TLS."""


class Browser:
    """The other side of an HTTP connection.

    Attributes:
        transport: The server's socket.
    """

    def __init__(self, front: WebFront, transport_class: Any = WebConnection, **options: Any):
        channel = front.buildProtocol(None)
        self.transport = transport_class(channel, **options)
        self._taken = 0
        channel.makeConnection(self.transport)

    def send(self, data: bytes) -> None:
        self.transport.protocol.dataReceived(data)

    def take(self) -> bytes:
        """Return the bytes written since the last call."""
        data = b"".join(self.transport.writes[self._taken :])
        self._taken = len(self.transport.writes)
        return data

    def ask(self, *lines: str, method: str = "GET", path: str = "/", host: str = HOST) -> Reply:
        """Send a request, and return the answer."""
        head = [f"{method} {path} HTTP/1.1", *([host] if host else []), *lines, "", ""]
        self.send("\r\n".join(head).encode("latin-1"))
        return Reply(self.take())


class Reply:
    """The answer to a request.

    Attributes:
        status: The status code; 0 for no answer.
        fields: The header fields, by their names in lower case.
        body: The body.
    """

    def __init__(self, data: bytes) -> None:
        head, _, self.body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1]) if first else 0
        pairs = [line.split(": ", 1) for line in lines]
        self.fields = {name.lower(): value for name, value in pairs}


class WebPeer(Browser):
    """A client of the WebSocket that is driven by hand.

    Attributes:
        reply: The answer to its request.
        closed: The Close frame of the server, if it has come.
    """

    def __init__(
        self,
        front: WebFront,
        codec: Any,
        lines: Sequence[str] = (),
        transport_class: Any = WebConnection,
        **options: Any,
    ) -> None:
        super().__init__(front, transport_class, **options)
        self.codec = codec
        self.closed: Close | None = None
        self.framing = ClientProtocol(
            parse_uri("ws://localhost:8080/ws"),
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            max_size=None,
        )
        request = self.framing.connect()
        for line in lines:
            name, _, value = line.partition(": ")
            request.headers[name] = value
        self.framing.send_request(request)
        self.send(b"".join(self.framing.data_to_send()))
        writes = self.transport.writes
        self.reply = Reply(writes[0] if writes else b"")

    @property
    def session(self) -> Any:
        """The server's side of the session."""
        return self.transport.protocol.wrappedProtocol

    def frame(self, data: bytes, opcode: Any = Opcode.BINARY, *, fin: bool = True) -> bytes:
        return Frame(opcode, data, fin).serialize(mask=True)

    def send_bytes(self, data: bytes) -> None:
        """Send the bytes as a message."""
        self.send(self.frame(data))

    def send_messages(self, *messages: Message) -> None:
        """Send messages, all in one message of the WebSocket."""
        self.send_bytes(b"".join(map(self.codec.encode, messages)))

    def say(self, *texts: str) -> None:
        self.send_messages(*(Message.chat(text, id=text) for text in texts))

    def close(self, code: int = 1000) -> None:
        self.send(self.frame(Close(code, "").serialize(), Opcode.CLOSE))

    def frames(self) -> list[Frame]:
        """Return the frames that came since the last call."""
        self.framing.receive_data(self.take())
        frames = [each for each in self.framing.events_received() if isinstance(each, Frame)]
        for frame in frames:
            if frame.opcode is Opcode.CLOSE:
                self.closed = Close.parse(frame.data)
        return frames

    def messages(self) -> list[Any]:
        """Return the messages that came since the last call."""
        reader = self.codec.reader()
        for frame in self.frames():
            if frame.opcode is Opcode.BINARY:
                reader.receive_data(bytes(frame.data))
        return list(self.codec.decode_stream(reader))

    def texts(self) -> list[str]:
        return [each.text for each in self.messages() if each.type == MessageType.MESSAGE]


class WebCase(SynchronousTestCase):
    """A server with a web front, without a key."""

    def setUp(self) -> None:
        self.serve()

    def serve(
        self, origins: Sequence[str] = (), proxies: Sequence[str] = (), **options: Any
    ) -> None:
        self.clock = TurnClock()
        self.chat: ChatFactory[Any] = ChatFactory(
            self.clock, unix_time=self.clock.seconds, **options
        )
        self.front = WebFront(
            self.chat, Origins(origins), Proxies(proxies), PAGE, unix_time=self.clock.seconds
        )

    def browser(self, **options: Any) -> Browser:
        return Browser(self.front, **options)

    def peer(self, *lines: str, **options: Any) -> WebPeer:
        """Open a WebSocket."""
        return WebPeer(self.front, self.chat.codec, lines, **options)

    def join(self, name: str, *lines: str, **options: Any) -> WebPeer:
        """Begin a session on a WebSocket."""
        peer = self.peer(*lines, **options)
        self.assertEqual(peer.reply.status, 101)
        peer.messages()
        peer.send_messages(self.ack(peer, name))
        self.turn()
        return peer

    def ack(self, peer: WebPeer, name: str) -> Message:
        answer = SessionAck(session_id=peer.session.connection.session_id, name=name)
        return Message(MessageType.SESSION_ACK, answer)

    def turn(self) -> None:
        self.clock.advance(0)
