"""The identity of the peer on real sockets."""

import os
import pwd
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, connectProtocol, serverFromString
from twisted.internet.protocol import Factory, Protocol, connectionDone

from chatd.transport.identity import Identity, identify
from tests.integration.tls import has_ipv6, ssl_client, ssl_server

ME = Identity(f"uid:{os.getuid()}", pwd.getpwuid(os.getuid()).pw_name, is_clear_tcp=False)

# Twisted reads certificates with functions that pyOpenSSL has deprecated.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*pyOpenSSL:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:X509:DeprecationWarning"),
]


class Identifying(Protocol):
    """Identifies its peer at the first bytes, and closes."""

    def dataReceived(self, data):
        self.factory.identified.callback(identify(self.transport))
        self.transport.loseConnection()


class Speaking(Protocol):
    """Sends data, and waits for the end."""

    def __init__(self, data):
        self.data = data
        self.lost: Deferred[Any] = Deferred()

    def connectionMade(self):
        self.transport.write(self.data)

    def connectionLost(self, reason=connectionDone):
        self.lost.callback(None)


async def identity_of_client(server, client, data=b"hello"):
    """Connect a client to a server, and return the client's identity there.

    Args:
        server: The server's endpoint string.
        client: The client's, or a function of the port that returns it.
        data: What the client says first.
    """
    factory: Any = Factory.forProtocol(Identifying)
    factory.identified = Deferred()
    port = await serverFromString(reactor, server).listen(factory)
    try:
        there = client if isinstance(client, str) else client(port.getHost().port)
        speaking = Speaking(data)
        await connectProtocol(clientFromString(reactor, there), speaking)
        identity = await factory.identified
        await speaking.lost
    finally:
        await port.stopListening()
    return identity


async def test_tcp():
    """A client on TCP has its IP address, and is in the clear."""
    identity = await identity_of_client("tcp:0:interface=127.0.0.1", "tcp:127.0.0.1:{}".format)
    assert identity == Identity("127.0.0.1", None, is_clear_tcp=True)


@pytest.mark.skipif(not has_ipv6(), reason="needs IPv6")
async def test_tcp6():
    """A client on IPv6 has its IPv6 address; on the same socket, an IPv4 client has its own."""
    identity = await identity_of_client(r"tcp:0:interface=\:\:1", r"tcp:\:\:1:{}".format)
    assert identity == Identity("::1", None, is_clear_tcp=True)
    identity = await identity_of_client(r"tcp:0:interface=\:\:", "tcp:127.0.0.1:{}".format)
    assert identity == Identity("127.0.0.1", None, is_clear_tcp=True)


async def test_unix(tmp_path):
    """A client on a UNIX socket is the user that the system reports."""
    socket = f"unix:{tmp_path}/socket"
    assert await identity_of_client(socket, socket) == ME


async def test_tls(certificates):
    """A client on TLS has its IP address, and is not in the clear."""
    identity = await identity_of_client(
        ssl_server(certificates), lambda port: ssl_client(certificates, port)
    )
    assert identity == Identity("127.0.0.1", None, is_clear_tcp=False)


async def test_haproxy(tmp_path):
    """A client behind a proxy has the address from the proxy, and not the proxy's user."""
    header = b"PROXY TCP4 198.51.100.9 192.0.2.1 5555 9999\r\nhello"
    expected = Identity("198.51.100.9", None, is_clear_tcp=True)
    identity = await identity_of_client(
        "haproxy:tcp:0:interface=127.0.0.1", "tcp:127.0.0.1:{}".format, header
    )
    assert identity == expected
    socket = f"unix:{tmp_path}/socket"
    assert await identity_of_client(f"haproxy:{socket}", socket, header) == expected
    header = b"PROXY UNKNOWN ffff::1 ffff::1 1 1\r\nhello"
    identity = await identity_of_client(f"haproxy:{socket}", socket, header)
    assert identity == Identity("local", None, is_clear_tcp=False)
