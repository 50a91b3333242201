"""Browsers' sessions on real sockets: WebSockets over TCP and TLS, and many HTTP connections."""

import re
import socket
import ssl
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs, formatEvent
from twisted.protocols.portforward import (
    ProxyClient,
    ProxyClientFactory,
    ProxyFactory,
    ProxyServer,
)
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.sync.client import connect as connect_plain
from websockets.uri import parse_uri

import chatd
from chatd import write_key_file
from chatd.daemon.build import make_service
from chatd.daemon.settings import Settings
from chatd.server.limits import Limits
from tests.integration.daemons import stop
from tests.integration.processes import daemon, run_command
from tests.integration.sessions import leave
from tests.integration.tls import ssl_server, tls_server
from tests.web.cases import HOST, OPENING

MIB = 1024 * 1024
FRONT = "tcp:0:interface=127.0.0.1"
DEADLINE_S = 20
# Twisted reads certificates with functions that pyOpenSSL has deprecated.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*pyOpenSSL:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:X509:DeprecationWarning"),
]


@asynccontextmanager
async def serving(front=FRONT, **decided):
    """Run a server with a front within a context; yield its service, and the port of the front."""
    decided.setdefault("endpoints", [FRONT])
    service = make_service(reactor, Settings(web=[front], **decided))
    service.startService()
    try:
        port: Any = service.listeners[-1].port
        yield service, port.getHost().port
    finally:
        await service.stopService()


def plainly(port, work, **options):
    """Let a blocking WebSocket client do its work in a thread."""

    def run():
        url = f"ws://127.0.0.1:{port}/ws"
        usual = {"subprotocols": ["chatd.v1"], "compression": None, "proxy": None}
        with connect_plain(url, **{**usual, **options}) as websocket:
            return work(websocket)

    return deferToThread(run)


def until_closed(websocket):
    """Read until the server closes; return the code and the number of bytes."""
    number = 0
    try:
        while True:
            number += len(websocket.recv(timeout=DEADLINE_S))
    except ConnectionClosed as closed:
        return closed.rcvd and closed.rcvd.code, number


@pytest.mark.parametrize("has_key", [False, True], ids=["clear", "key"])
async def test_exchange(tmp_path, has_key):
    """Clients on a WebSocket and on TCP talk to each other, with a key and without."""
    key_file = tmp_path / "key" if has_key else None
    key = write_key_file(key_file) if key_file else None
    async with serving(key_file=key_file) as (service, port):
        tcp: Any = service.listeners[0].port
        alice = await chatd.connect(reactor, f"ws://127.0.0.1:{port}/ws", key=key, name="alice")
        bob = await chatd.connect(
            reactor, f"tcp:127.0.0.1:{tcp.getHost().port}", key=key, name="bob"
        )
        content = bytes(range(256)) * (8 * MIB // 256)
        assert (await alice.send(content)).content == content
        assert (await bob.__anext__()).content == content
        for number in range(500):
            bob.send(f"m{number}")
        texts = [(await alice.__anext__()).text for _ in range(500)]
        assert texts == [f"m{number}" for number in range(500)]
        await leave(alice, bob)


async def test_requests_before_the_websocket():
    """A WebSocket that is asked for together with the page opens after the page's answer."""
    page = f"GET / HTTP/1.1\r\n{HOST}\r\n\r\n"
    opening = "\r\n".join(["GET /ws HTTP/1.1", HOST, *OPENING, "", ""])

    def ask(port):
        with socket.create_connection(("127.0.0.1", port)) as made:
            made.settimeout(DEADLINE_S)
            made.sendall((page + opening).encode())
            answer = b""
            while b"CHATD" not in answer:
                answer += made.recv(65536)
            return re.findall(rb"HTTP/1.1 \d+|</html>|CHATD", answer)

    async with serving() as (_, port):
        whole = [b"HTTP/1.1 200", b"</html>"]
        assert await deferToThread(ask, port) == [*whole, b"HTTP/1.1 101", b"CHATD"]


async def test_half_closed_receipts():
    """A client that leaves right after it sent gets its receipts first."""
    async with serving() as (_, port):
        alice = await chatd.connect(reactor, f"ws://127.0.0.1:{port}/ws", name="alice")
        sent = [alice.send(f"m{number}") for number in range(100)]
        receipts = [await each for each in sent]
        assert [each.seq for each in receipts] == list(range(1, 101))
        await leave(alice)


async def test_tls(certificates, monkeypatch):
    """Over TLS, the client verifies the certificate."""
    async with serving(ssl_server(certificates)) as (service, port):
        url = f"wss://localhost:{port}/ws"
        with pytest.raises(Exception, match="certificate verify failed"):
            await chatd.connect(reactor, url, name="alice")
        assert not service.factory.sessions
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "localhost.pem"))
        alice = await chatd.connect(reactor, url, name="alice")
        content = bytes(range(256)) * (MIB // 256)
        assert (await alice.send(content)).content == content
        with pytest.raises(Exception, match="the certificate does not match the host"):
            await chatd.connect(reactor, f"wss://127.0.0.1:{port}/ws")
        await leave(alice)


class Tapped(ProxyServer):
    """Passes the bytes of a connection on, and keeps those of each way."""

    factory: Any

    def connectionMade(self):
        self.sent, self.received = [], []
        self.factory.tapped.append(self)
        super().connectionMade()

    def dataReceived(self, data):
        self.sent.append(data)
        super().dataReceived(data)

    class clientProtocolFactory(ProxyClientFactory):
        noisy = False

        class protocol(ProxyClient):
            def dataReceived(self, data):
                self.peer.received.append(data)
                super().dataReceived(data)

    def words(self):
        """Return what the WebSocket carried each way, without its masks."""
        client = ClientProtocol(parse_uri("ws://localhost/ws"), state=OPEN, max_size=None)
        server = ServerProtocol(state=OPEN, max_size=None)
        for framing, pieces in ((server, self.sent), (client, self.received)):
            framing.receive_data(b"".join(pieces).partition(b"\r\n\r\n")[2])
            yield b"".join(bytes(frame.data) for frame in framing.events_received())


@pytest.mark.parametrize("kind", ["ssl", "tls"])
async def test_browsers_over_tls(certificates, kind):
    """Browsers, which name HTTP versions in the TLS handshake, agree on HTTP/1.1."""
    front = tls_server(kind, certificates)
    context = ssl.create_default_context(cafile=str(certificates / "localhost.pem"))
    context.set_alpn_protocols(["h2", "http/1.1"])

    def load(port):
        made = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
        with context.wrap_socket(made, server_hostname="localhost") as page:
            page.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return page.selected_alpn_protocol(), page.recv(100)

    async with serving(front) as (_, port):
        protocol, answer = await deferToThread(load, port)
        assert (protocol, answer[:15]) == ("http/1.1", b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("has_key", [False, True], ids=["clear", "key"])
async def test_no_word_in_the_clear(tmp_path, has_key):
    """With a key, nothing that is said can be found in the bytes of a WebSocket."""
    key_file = tmp_path / "key" if has_key else None
    key = write_key_file(key_file) if key_file else None
    async with serving(key_file=key_file) as (_, port):
        way: Any = ProxyFactory("127.0.0.1", port)
        way.protocol, way.noisy, way.tapped = Tapped, False, []
        listening: Any = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(way)
        url = f"ws://127.0.0.1:{listening.getHost().port}/ws"
        alice = await chatd.connect(reactor, url, key=key, name="alice-in-the-open")
        bob = await chatd.connect(reactor, url, key=key, name="bob")
        await alice.send("the treasure lies under the old oak", content_type="text/x-secret")
        await bob.__anext__()
        await leave(alice, bob)
        await listening.stopListening()
    of_alice, of_bob = (tapped.words() for tapped in way.tapped)
    sent, received = of_alice
    _, told = of_bob
    for word in (b"treasure", b"alice-in-the-open", b"x-secret", b"CHATD\r\n"):
        assert [word in data for data in (sent, told)] == [not has_key] * 2, word
    assert min(len(data) for data in (sent, received, told)) > 100


async def test_faults():
    """Text closes with 1003; a long frame with 1009, before its bytes come."""
    async with serving() as (service, port):
        assert (await plainly(port, lambda ws: (ws.send("text"), until_closed(ws))[1]))[0] == 1003

        def announce(websocket):
            websocket.socket.sendall(b"\x82\xff" + (2**40).to_bytes(8, "big") + bytes(4))
            return until_closed(websocket)

        assert (await plainly(port, announce))[0] == 1009
        assert not service.factory.sessions


async def test_refused():
    """Another origin and another subprotocol are refused."""
    async with serving() as (_, port):
        for status, options in (
            (403, {"origin": "https://evil.example"}),
            (400, {"subprotocols": ["other"]}),
        ):
            with pytest.raises(InvalidStatus) as caught:
                await plainly(port, until_closed, **options)
            assert caught.value.response.status_code == status


async def test_slow_reader():
    """A client that does not read is cut off, and its memory is bounded; others go on."""
    limits = Limits(max_waiting=MIB)
    async with serving(limits=limits, max_content=MIB) as (service, port):
        alice = await chatd.connect(reactor, f"ws://127.0.0.1:{port}/ws", name="alice")
        slow = await chatd.connect(reactor, f"ws://127.0.0.1:{port}/ws", name="slow")
        session = await service.factory.when_active("slow")
        slow.stream.pauseProducing()
        for number in range(200):
            if session.protocol.is_gone or session.protocol.connection.is_over:
                break
            await alice.send(bytes(MIB - 1), id=f"{number}")
        assert session.protocol.connection.end_reason.code == "slow-consumer"
        assert (await alice.send("still here")).text == "still here"
        slow.abort()
        await leave(alice)


async def test_idle_connections():
    """However many HTTP connections are open, clients get in."""
    limits = Limits(max_unestablished=500)
    async with serving(limits=limits) as (service, port):
        with ExitStack() as crowd:
            for _ in range(1_000):
                one = crowd.enter_context(socket.socket())
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
                await turn()
            alice = await chatd.connect(reactor, f"ws://127.0.0.1:{port}/ws", name="alice")
            assert (await alice.send("hello")).text == "hello"
            front: Any = service.listeners[-1]._front
            assert len(front._own) <= 500
            await leave(alice)
        while len(front._own):
            await turn()


async def turn() -> None:
    """Let the reactor make a turn."""
    waited: Deferred[None] = Deferred()
    reactor.callLater(0, waited.callback, None)
    await waited


async def test_shutdown():
    """A server that stops tells clients on WebSockets, and closes the other connections."""
    async with serving() as (service, port):
        clients = [await chatd.connect(reactor, f"ws://127.0.0.1:{port}/ws") for _ in range(3)]
        with socket.create_connection(("127.0.0.1", port)) as idle:
            idle.settimeout(DEADLINE_S)
            while not len(service.listeners[-1]._front._own):
                await turn()
            await service.stopService()
            ends = [await client.when_ended() for client in clients]
            assert {(end.code, end.retry) for end in ends} == {("shutting-down", True)}
            assert await deferToThread(idle.recv, 1) == b""


async def test_reconnects():
    """A client that the server disconnects with `retry` comes back over a new WebSocket."""
    async with serving() as (service, port):
        factory: Any = chatd.ChatClientFactory(reactor, name="alice")
        client = chatd.ChatClientService(
            reactor, f"ws://127.0.0.1:{port}/ws", factory, retry_policy=lambda _: 0.01
        )
        client.startService()
        await client.whenConnected()
        assert (await client.send("one")).seq == 1
        (await service.factory.when_active("alice")).end("restart", "come back", retry=True)
        assert (await client.send("two")).text == "two"
        await client.stopService()


async def test_behind_haproxy():
    """An endpoint `haproxy:` takes the client's address from the PROXY header."""
    head = "\r\n".join(["GET /ws HTTP/1.1", HOST, *OPENING, "", ""])

    def knock(port):
        with socket.create_connection(("127.0.0.1", port)) as made:
            made.settimeout(DEADLINE_S)
            made.sendall(f"PROXY TCP4 203.0.113.9 192.0.2.1 5555 80\r\n{head}".encode())
            return made.recv(65536)

    with capturedLogs() as logged:
        async with serving(f"haproxy:{FRONT}") as (service, port):
            answer = await deferToThread(knock, port)
            assert answer.startswith(b"HTTP/1.1 101 ")
            while len(service.factory.engine.connections):
                await turn()
    lines = [formatEvent(each) or "" for each in logged]
    assert [line for line in lines if "not established" in line and "203.0.113.9" in line]


def test_kill(tmp_path):
    """A killed daemon ends its clients on WebSockets with one line."""
    endpoint = f"unix:{tmp_path}/chat.sock"
    with daemon("--web", FRONT, endpoint=endpoint) as process:
        port = int(process.output.wait_for(r"WebFront starting on (\d+)")[1])
        done = run_command("chatd", "connect", f"ws://127.0.0.1:{port}/ws", input="hello\n")
        assert (done.returncode, done.stderr) == (0, "")
        stop(process)
    refused = run_command("chatd", "connect", f"ws://127.0.0.1:{port}/ws", input="hello\n")
    assert refused.stderr == (
        f"chatd: cannot connect to ws://127.0.0.1:{port}/ws: Connection refused; "
        "is the server running?\n"
    )
