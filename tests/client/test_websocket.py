"""Tests of a client's WebSocket: opening it, and the answers of servers that are none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from websockets.server import ServerProtocol

from chatd.client.endpoints import client_endpoint
from chatd.client.factory import ChatClientFactory
from chatd.client.websocket import MAX_ANSWER
from chatd.connection.limits import HANDSHAKE_TIMEOUT_S
from chatd.errors import ConfigurationError
from chatd.server.factory import ChatFactory
from chatd.transport.websocket import SUBPROTOCOL, WebSocketTransport
from tests.fakes.peers import KEY, SocketTransport
from tests.listening.cases import EndpointCase
from tests.web.cases import WebConnection

URL = "ws://127.0.0.1:8080/ws"
NO_URLS = [
    *("ws:", "ws:localhost:1", "ws://", "ws:///ws", "ws://localhost:0/ws", "ws://localhost:70000/"),
    *(
        "ws://localhost:x/ws",
        "ws://user:secret@localhost/ws",
        "wss://[::1/ws",
    ),
    *("ws://localhost/ws#key=a", "http://localhost/ws", "WS://", "ws://a..b/ws"),
]


class AddressTests(EndpointCase):
    def test_wrong(self) -> None:
        """What is no address of a WebSocket is refused in one line."""
        self.check_refused(client_endpoint, NO_URLS)

    def test_password(self) -> None:
        """A password in an address is not repeated in the reason."""
        error = self.assertRaises(
            ConfigurationError, client_endpoint, self.reactor, "ws://u:secret@localhost/ws"
        )
        self.assertIn("give --name and --password", str(error))

    def test_hosts(self) -> None:
        """The usual ports are those of HTTP and of HTTPS."""
        for url, there in (
            ("ws://127.0.0.1/ws", ("127.0.0.1", 80)),
            ("WSS://127.0.0.1/ws", ("127.0.0.1", 443)),
        ):
            self.assertNoResult(
                client_endpoint(self.reactor, url).connect(ChatClientFactory(self.reactor))
            )
            self.assertEqual(self.reactor.tcpClients[-1][:2], there)

    def test_without_the_extra(self) -> None:
        """A client without the extra says what to install."""
        name = "chatd.client.websocket"
        before = sys.modules[name]
        sys.modules[name] = None  # type: ignore[assignment]
        self.addCleanup(sys.modules.__setitem__, name, before)
        error = self.assertRaises(ConfigurationError, client_endpoint, self.reactor, URL)
        self.assertEqual(
            str(error),
            f"bad endpoint {URL!r}: it needs websockets: install chatd with its extra, web",
        )


class OpeningCase(SynchronousTestCase):
    """A client that opens a WebSocket, and a server that is driven by hand."""

    request: Any

    def setUp(self) -> None:
        self.open()

    def open(self, wrap: Callable[[Any], Any] = lambda building: building) -> None:
        """Connect, perhaps with a layer below the WebSocket."""
        self.reactor = MemoryReactorClock()
        self.factory: Any = ChatClientFactory(self.reactor)
        self.connecting: Deferred[Any] = client_endpoint(self.reactor, URL).connect(self.factory)
        building: Any = wrap(self.reactor.tcpClients[-1][2])
        self.lowest = building.buildProtocol(None)
        self.transport: Any = WebConnection(self.lowest)
        self.lowest.makeConnection(self.transport)

    def send(self, data: bytes) -> None:
        self.transport.protocol.dataReceived(data)

    def accept(self) -> ServerProtocol:
        """Read the request, and answer it."""
        server = ServerProtocol(subprotocols=[SUBPROTOCOL])  # type: ignore[list-item]
        server.receive_data(b"".join(self.transport.writes))
        (self.request,) = server.events_received()
        server.send_response(server.accept(self.request))
        return server

    def failure(self) -> str:
        return str(self.failureResultOf(self.connecting, ConnectError).value.args[0])


class OtherPortTests(OpeningCase):
    """The port is chatd's own, without WebSockets, or the program's class is wrong."""

    def test_port_without_websockets(self) -> None:
        """A server that begins a session is named at once, with a key and without."""
        for key in (None, KEY):
            self.open()
            server: Any = ChatFactory(self.reactor, key=key).buildProtocol(None)
            transport = SocketTransport(server)
            server.makeConnection(transport)
            self.addCleanup(transport.lose)
            self.send(b"".join(transport.writes))
            told = f"{URL} is no WebSocket: chatd's own protocol answers there; give tcp:HOST:PORT"
            self.assertEqual(self.failure(), told)

    def test_forgetful_client(self) -> None:
        """The error of a client's class comes out, and the connection is cut."""
        self.factory.buildProtocol = lambda _: 1 // 0
        self.send(b"".join(self.accept().data_to_send()))
        error = self.failureResultOf(self.connecting, ConfigurationError).value
        self.assertIn("ZeroDivisionError", str(error))
        self.assertTrue(self.transport.is_lost)


class OpeningTests(OpeningCase):
    def test_request(self) -> None:
        """The client asks for the path and the subprotocol, and for no extension."""
        self.accept()
        self.assertEqual(self.request.path, "/ws")
        headers = self.request.headers
        self.assertEqual(headers["Host"], "127.0.0.1:8080")
        self.assertEqual(headers["Sec-WebSocket-Protocol"], "chatd.v1")
        self.assertNotIn("Origin", headers)
        self.assertNotIn("Sec-WebSocket-Extensions", headers)

    def test_opened(self) -> None:
        """The session begins when the WebSocket is open."""
        server = self.accept()
        self.assertNoResult(self.connecting)
        self.send(b"".join(server.data_to_send()))
        client = self.successResultOf(self.connecting)
        self.assertIsInstance(client.transport, WebSocketTransport)

    def test_greeting_behind_the_answer(self) -> None:
        """Frames that come together with the answer, or byte by byte, are read."""
        for length in (1, 2**16):
            self.setUp()
            chat: ChatFactory[Any] = ChatFactory(self.reactor)
            protocol: Any = chat.buildProtocol(None)
            pipe: Any = SocketTransport(protocol)
            protocol.makeConnection(pipe)
            server = self.accept()
            server.send_binary(b"".join(pipe.writes))
            data = b"".join(server.data_to_send())
            for at in range(0, len(data), length):
                self.send(data[at : at + length])
            client = self.successResultOf(self.connecting)
            self.assertEqual(client.connection.init.server.partition("/")[0], "chatd")

    def test_over_tls(self) -> None:
        """Over TLS, the session takes the place of the opening within the TLS layer."""
        self.open(WrappingFactory)
        self.send(b"".join(self.accept().data_to_send()))
        self.successResultOf(self.connecting)
        self.assertIs(self.transport.protocol, self.lowest)
        self.assertIsInstance(self.lowest.wrappedProtocol, WebSocketTransport)

    def test_answers(self) -> None:
        """The answer of something else is told in one line."""
        for answer, told in (
            (b"404 Not Found", "answered 404 Not Found; the address of the WebSocket ends in /ws"),
            (b"403 Forbidden", "answered 403 Forbidden; the way to the server may be closed"),
            (b"200 OK", "answered 200 OK; it is a page, and the address of the WebSocket ends in"),
            (b"500 Oh no", "answered 500 Oh no"),
            (b"500", "answered 500"),
            (
                b"301 Moved\r\nLocation: https://a.example/ws",
                "and names https://a.example/ws; give",
            ),
            (b"302 Found\r\nlocation:\x1b[2J", "answered 302 Found"),
        ):
            self.setUp()
            self.send(b"HTTP/1.1 " + answer + b"\r\nContent-Length: 5\r\n\r\n")
            failure = self.failure()
            self.assertIn(told, failure)
            self.assertTrue(failure.startswith(f"{URL} answered"), failure)
            self.assertTrue(failure.isprintable())
            self.assertTrue(self.transport.is_lost)

    def test_nonsense(self) -> None:
        """What is no HTTP is told in one line, and read no further than needed."""
        for answer, told in (
            (b"SSH-2.0-OpenSSH\r\n\r\n", "does not answer in HTTP"),
            (b"\0" * (MAX_ANSWER + 1), "gives an answer that is too long for a WebSocket"),
            (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "does not open a WebSocket: "),
            (
                b"HTTP/1.1 101 Switching Protocols\r\nnonsense\r\n\r\n",
                "does not open a WebSocket: ",
            ),
        ):
            self.setUp()
            self.send(answer)
            failure = self.failure()
            self.assertIn(f"{URL} {told}", failure)
            self.assertEqual(len(failure.splitlines()), 1)
            self.assertTrue(self.transport.is_lost)

    def test_wrong_accept(self) -> None:
        """A server that does not answer the client's own request opens nothing."""
        server = self.accept()
        answer = b"".join(server.data_to_send())
        self.send(answer.replace(b"Sec-WebSocket-Accept: ", b"Sec-WebSocket-Accept: x"))
        self.assertIn("does not open a WebSocket: ", self.failure())

    def test_longest_answer(self) -> None:
        """A head may have as many bytes as the bound says."""
        self.send(b"\0" * MAX_ANSWER)
        self.assertEqual(self.transport.ends, [])
        self.send(b"\0")
        self.assertIn("too long", self.failure())
        self.assertEqual(self.transport.ends, ["abort"])

    def test_unprintable(self) -> None:
        """What the server wrote into a field cannot move the cursor of a terminal."""
        start = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        for value in (b"a\tb", b"a\x85b", b"a\x9bb", b"a\xa0b"):
            self.setUp()
            self.send(start + b"Sec-WebSocket-Accept: " + value + b"\r\n\r\n")
            self.assertTrue(self.failure().endswith("invalid Sec-WebSocket-Accept header: a b"))

    def test_opened_in_time(self) -> None:
        """The time for the answer does not end a WebSocket that is open, nor one that is lost."""
        self.factory.buildProtocol = lambda address: Protocol()
        self.send(b"".join(self.accept().data_to_send()))
        self.successResultOf(self.connecting)
        self.reactor.advance(HANDSHAKE_TIMEOUT_S)
        self.assertEqual((self.transport.ends, self.reactor.getDelayedCalls()), ([], []))
        self.setUp()
        self.transport.lose()
        self.failureResultOf(self.connecting)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_silence(self) -> None:
        """A server that does not answer is left after ten seconds."""
        self.reactor.advance(HANDSHAKE_TIMEOUT_S)
        self.assertIn(f"did not answer within {HANDSHAKE_TIMEOUT_S:g} s", self.failure())
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_lost(self) -> None:
        """A connection that is closed before the answer fails."""
        self.transport.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.failure(), f"{URL} closed the connection")

    def test_tls_faults(self) -> None:
        """A fault of TLS is told with its remedy."""
        for fault, told in (
            ("certificate verify failed", "SSL_CERT_FILE can name a file of certificates to trust"),
            ("wrong version number", "the server may not use TLS there: write ws:// instead of"),
        ):
            self.setUp()
            error = SSL.Error([("SSL routines", "", fault)])
            self.transport.protocol.connectionLost(Failure(error))
            self.assertIn(f"{URL}: TLS: {fault}; {told}", self.failure())

    def test_cancelled(self) -> None:
        """An attempt that is cancelled closes the connection."""
        self.connecting.cancel()
        self.assertTrue(self.transport.is_lost)
        self.failureResultOf(self.connecting)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_cancelled_and_lost(self) -> None:
        """The end of the connection, in a later turn, has nothing to add."""
        self.transport.abortConnection = lambda: None  # as that of a real socket, it ends later
        self.connecting.cancel()
        self.failureResultOf(self.connecting, CancelledError)
        self.transport.lose()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_not_wanted(self) -> None:
        """A factory that wants no client ends the attempt."""
        self.factory.buildProtocol = lambda address: None
        self.send(b"".join(self.accept().data_to_send()))
        self.assertIn("is not wanted any more", self.failure())

    def test_password_in_the_clear(self) -> None:
        """No password goes over a WebSocket without TLS and without a key."""
        for key, is_withheld in ((None, True), (KEY, False)):
            self.setUp()
            self.factory._password, self.factory.key = "secret", key
            self.send(b"".join(self.accept().data_to_send()))
            client = self.successResultOf(self.connecting)
            self.assertIs(client.connection._password is None, is_withheld)
