"""Sessions inside TLS, with Twisted's endpoints."""

import re
import signal
import socket
import ssl
from contextlib import asynccontextmanager
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs, formatEvent
from twisted.protocols.portforward import (
    ProxyClient,
    ProxyClientFactory,
    ProxyFactory,
    ProxyServer,
)

import chatd
from chatd import write_key_file
from chatd.daemon.build import make_service
from chatd.daemon.settings import Settings
from tests.docs.pages import page
from tests.fakes.pems import write_certificate
from tests.integration.daemons import stop
from tests.integration.processes import daemon
from tests.integration.sessions import leave
from tests.integration.tls import has_ipv6, ssl_client, ssl_server, tls_client, tls_server

MIB = 1024 * 1024

# Twisted reads certificates with functions that pyOpenSSL has deprecated.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*pyOpenSSL:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:X509:DeprecationWarning"),
]


@asynccontextmanager
async def serving(listen, key_file=None):
    """Run a server within a context, and yield its service and port."""
    service = make_service(reactor, Settings(endpoints=[listen], key_file=key_file))
    service.startService()
    try:
        port: Any = service.listeners[0].port
        yield service, port.getHost().port
    finally:
        await service.stopService()


@pytest.mark.parametrize("client_string", [ssl_client, tls_client])
@pytest.mark.parametrize("has_key", [False, True], ids=["clear", "key"])
async def test_exchange(certificates, tmp_path, client_string, has_key):
    """Clients talk through TLS as without it, with a key and without."""
    key_file = tmp_path / "key" if has_key else None
    key = write_key_file(key_file) if key_file else None
    async with serving(ssl_server(certificates), key_file) as (_, port):
        there = client_string(certificates, port)
        alice = await chatd.connect(reactor, there, key=key, name="alice")
        bob = await chatd.connect(reactor, there, key=key, name="bob")
        content = bytes(range(256)) * (MIB // 256)

        assert (await alice.send(content)).content == content
        assert (await bob.__anext__()).content == content
        await leave(alice, bob)


async def test_shutdown(certificates):
    """A server that stops tells its clients through TLS."""
    async with serving(ssl_server(certificates)) as (service, port):
        there = ssl_client(certificates, port)
        clients = [await chatd.connect(reactor, there) for _ in range(3)]
        await service.stopService()

        ends = [await client.when_ended() for client in clients]
        assert {(end.code, end.retry) for end in ends} == {("shutting-down", True)}


@pytest.mark.parametrize("client_string", [ssl_client, tls_client])
async def test_untrusted_certificate(certificates, tmp_path, client_string):
    """A client refuses a server whose certificate is not trusted."""
    write_certificate(tmp_path / "another.pem")
    async with serving(ssl_server(certificates)) as (service, port):
        with pytest.raises(chatd.SessionEnded, match=r"lost: TLS: certificate verify failed$"):
            await chatd.connect(reactor, client_string(tmp_path, port))
        assert not service.factory.sessions


@pytest.mark.parametrize("client_string", [ssl_client, tls_client])
async def test_certificate_of_another_host(certificates, client_string):
    """A client refuses a trusted certificate of another host."""
    async with serving(ssl_server(certificates)) as (service, port):
        there = client_string(certificates, port).replace("localhost", "chat.example")
        with pytest.raises(
            chatd.SessionEnded, match=r"TLS: the certificate does not match the host$"
        ):
            await chatd.connect(reactor, there)
        assert not service.factory.sessions


@pytest.mark.parametrize("client_string", [ssl_client, tls_client])
async def test_no_word_in_the_clear(certificates, client_string):
    """A listener between a TLS client and the server reads no word of a message."""
    passed = []

    class Listener(ProxyClient):
        def dataReceived(self, data):
            passed.append(data)
            super().dataReceived(data)

    class ListenerFactory(ProxyClientFactory):
        protocol = Listener

    class Way(ProxyServer):
        clientProtocolFactory = ListenerFactory

        def dataReceived(self, data):
            passed.append(data)
            super().dataReceived(data)

    async with serving(ssl_server(certificates)) as (_, port):
        way: Any = ProxyFactory("127.0.0.1", port)
        way.protocol = Way
        between: Any = reactor.listenTCP(0, way, interface="127.0.0.1")
        there = client_string(certificates, between.getHost().port)
        client = await chatd.connect(reactor, there, name="alice")
        assert (await client.send("a word in secret")).text == "a word in secret"
        await leave(client)
        await between.stopListening()
    traffic = b"".join(passed)
    assert len(traffic) > 100
    assert b"secret" not in traffic
    assert b"alice" not in traffic


@pytest.mark.parametrize("has_key", [False, True], ids=["clear", "key"])
async def test_ssl_without_a_check(certificates, tmp_path, has_key):
    """Without arguments, an `ssl:` client accepts any certificate, also that of a key's thief."""
    key_file = tmp_path / "key" if has_key else None
    key = write_key_file(key_file) if key_file else None
    async with serving(ssl_server(certificates), key_file) as (_, port):
        client = await chatd.connect(reactor, f"ssl:127.0.0.1:{port}", key=key)
        await leave(client)


async def test_ssl_with_a_host(certificates):
    """With `hostname=`, an `ssl:` client checks that the system trusts the certificate."""
    async with serving(ssl_server(certificates)) as (service, port):
        with pytest.raises(chatd.SessionEnded, match=r"TLS: certificate verify failed$"):
            await chatd.connect(reactor, f"ssl:127.0.0.1:{port}:hostname=localhost")
        assert not service.factory.sessions


async def test_ssl_without_a_host(certificates):
    """With `caCertsDir=` alone, an `ssl:` client accepts a trusted certificate of any host."""
    async with serving(ssl_server(certificates)) as (_, port):
        there = ssl_client(certificates, port).replace(":hostname=localhost", "")
        client = await chatd.connect(reactor, there)
        await leave(client)


async def test_ssl_of_another_authority(certificates, tmp_path):
    """With `caCertsDir=` alone, an `ssl:` client refuses a certificate of another authority."""
    write_certificate(tmp_path / "another.pem")
    async with serving(ssl_server(certificates)) as (service, port):
        there = ssl_client(tmp_path, port).replace(":hostname=localhost", "")
        with pytest.raises(chatd.SessionEnded, match=r"TLS: certificate verify failed$"):
            await chatd.connect(reactor, there)
        assert not service.factory.sessions


async def test_key_open_to_others(certificates):
    """The server takes the key of a certificate whatever the mode of its file."""
    pem = certificates / "localhost.pem"
    pem.chmod(0o644)
    async with serving(ssl_server(certificates)) as (_, port):
        await leave(await chatd.connect(reactor, tls_client(certificates, port)))


async def test_thief_of_the_key(certificates, tmp_path):
    """A server with the right key and an untrusted certificate cannot pose as the server."""
    key = write_key_file(tmp_path / "key")
    write_certificate(tmp_path / "another.pem")
    async with serving(ssl_server(certificates), tmp_path / "key") as (service, port):
        with pytest.raises(chatd.SessionEnded, match=r"TLS: certificate verify failed$"):
            await chatd.connect(reactor, tls_client(tmp_path, port), key=key)
        assert not service.factory.sessions


async def test_without_the_key(certificates, tmp_path):
    """A client that trusts the certificate gets no session without the server's key."""
    write_key_file(tmp_path / "key")
    async with serving(ssl_server(certificates), tmp_path / "key") as (service, port):
        for key, code in ((None, "key-required"), (bytes(32), "wrong-key")):
            with pytest.raises(chatd.SessionEnded) as caught:
                await chatd.connect(reactor, tls_client(certificates, port), key=key)
            assert caught.value.code == code
        assert not service.factory.sessions


@pytest.mark.parametrize("kind", ["ssl", "tls"])
async def test_alpn(certificates, kind):
    """A client that offers protocols by ALPN is refused, with the line of the page in the log."""
    front = tls_server(kind, certificates)

    def greeting(port, *protocols):
        context = ssl.create_default_context(cafile=str(certificates / "localhost.pem"))
        if protocols:
            context.set_alpn_protocols(protocols)
        made = socket.create_connection(("127.0.0.1", port), 20)
        with context.wrap_socket(made, server_hostname="localhost") as client:
            return client.recv(100)

    with capturedLogs() as logged:
        async with serving(front) as (_, port):
            assert b"CHATD" in await deferToThread(greeting, port)
            with pytest.raises(ssl.SSLError):
                await deferToThread(greeting, port, "h2", "http/1.1")
    told = [formatEvent(each) for each in logged]
    reason = "the connection was lost: TLS: internal error"
    assert f"`{reason}`" in page("docs/how-to/keys-and-tls.md")
    assert [line for line in told if f"reason='{reason}'" in line]


async def test_server_without_tls(certificates):
    """A TLS client of a server without TLS fails at once."""
    async with serving("tcp:0:interface=127.0.0.1") as (service, port):
        with pytest.raises(chatd.SessionEnded):
            await chatd.connect(reactor, ssl_client(certificates, port))
        assert not service.factory.sessions


@pytest.mark.skipif(not has_ipv6(), reason="needs IPv6")
async def test_tls_server(certificates):
    """A `tls:` server endpoint serves too, with the certificates of a directory."""
    listen = rf"tls:{certificates}:0:interface=\:\:1"
    async with serving(listen) as (_, port):
        client = await chatd.connect(reactor, tls_client(certificates, port, "::1"))
        assert (await client.send("hello")).text == "hello"
        await leave(client)


ENDPOINTS = {
    "ssl": "ssl:0:privateKey={0}/localhost.pem:interface=127.0.0.1",
    "behind a proxy": "haproxy:ssl:0:privateKey={0}/localhost.pem:interface=127.0.0.1",
    "tls": r"tls:{0}:0:interface=\:\:1",
}


def served(port, host):
    """Return the certificate that the server shows a new connection, as PEM."""
    return ssl.get_server_certificate((host, port)).encode()


def shown_by(path):
    """Return the certificate in a PEM file."""
    return b"-----BEGIN CERT" + path.read_bytes().partition(b"-----BEGIN CERT")[2]


@pytest.mark.parametrize("kind", ENDPOINTS)
async def test_renewed(certificates, tmp_path, kind):
    """After SIGHUP, new connections get the new certificate; existing connections stay."""
    if kind == "tls" and not has_ipv6():
        pytest.skip("needs IPv6")
    pem = certificates / "localhost.pem"
    host = "::1" if kind == "tls" else "127.0.0.1"
    endpoint = ENDPOINTS[kind].format(certificates)
    with daemon(endpoint=endpoint) as process:
        port = int(process.output.wait_for(r"\(tls:HOST:(\d+)\)")[1])
        there = tls_client(certificates, port, host)
        old = shown_by(pem)
        assert served(port, host) == old
        alice = None if kind == "behind a proxy" else await chatd.connect(reactor, there)

        pem.write_text("damaged")
        process.send_signal(signal.SIGHUP)
        process.output.wait_for(re.escape(f"certificates of {endpoint}: not read again"))
        assert served(port, host) == old

        write_certificate(pem)
        process.send_signal(signal.SIGHUP)
        process.output.wait_for(re.escape(f"certificates of {endpoint}: read again"))
        assert served(port, host) == shown_by(pem) != old
        if alice is not None:
            bob = await chatd.connect(reactor, there)
            assert (await alice.send("still here")).text == "still here"
            assert (await bob.__anext__()).text == "still here"
            await leave(alice, bob)
        stop(process)


async def test_not_renewed_by_itself(certificates):
    """The daemon does not read a changed file before SIGHUP: it may be incomplete."""
    async with serving(ssl_server(certificates)) as (_, port):
        there = ssl_client(certificates, port)
        (certificates / "localhost.pem").rename(certificates / "old.crt")
        write_certificate(certificates / "localhost.pem")
        with pytest.raises(chatd.SessionEnded, match="certificate verify failed"):
            await chatd.connect(reactor, there)
