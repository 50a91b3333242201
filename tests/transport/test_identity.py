"""The address and user of a transport's peer, as far as the system knows them."""

import os
import pwd
import socket
import sys

from twisted.internet import address
from twisted.internet.interfaces import ISSLTransport, ITCPTransport, IUNIXTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory
from twisted.protocols.policies import WrappingFactory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import alsoProvides, implementer

from chatd.testing import MemoryServer
from chatd.transport.identity import Identity, identify

LOGIN = pwd.getpwuid(os.getuid()).pw_name
ME = Identity(f"uid:{os.getuid()}", LOGIN, is_clear_tcp=False)
V2 = b"\r\n\r\n\0\r\nQUIT\n"
NO_ADDRESS = b"PROXY UNKNOWN ffff::1 ffff::1 1 1\r\n"
LOCAL = Identity("local", None, is_clear_tcp=False)


@implementer(ITCPTransport)
class TCP(StringTransport):  # type: ignore[misc]  # it has what is asked
    def __init__(self, host, kind=address.IPv4Address):
        super().__init__(peerAddress=kind("TCP", host, 1234))


@implementer(IUNIXTransport)
class UNIX(StringTransport):  # type: ignore[misc]  # it has what is asked
    """A transport of a UNIX socket.

    Args:
        handle: The socket.
    """

    def __init__(self, handle):
        super().__init__(peerAddress=address.UNIXAddress(None))
        self.getHandle = lambda: handle


class Handle:
    """A socket that has been asked for the peer's credentials."""

    def __init__(self, answer):
        self.answer = answer

    def getsockopt(self, level, option, size):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def wrapped(transport, factory_class=WrappingFactory, data=b""):
    """Return the transport that a protocol sees inside a wrapper of another transport."""
    wrapper = factory_class(Factory.forProtocol(Protocol)).buildProtocol(None)
    wrapper.makeConnection(transport)
    if data:
        wrapper.dataReceived(data)
    return wrapper.wrappedProtocol.transport


class TCPTests(SynchronousTestCase):
    def test_address(self):
        """The address is the IP address without its zone; an IPv4 address has a single form."""
        for host, kind, expected in (
            ("192.0.2.7", address.IPv4Address, "192.0.2.7"),
            ("2001:DB8:0::7", address.IPv6Address, "2001:db8::7"),
            ("fe80::7%eth0", address.IPv6Address, "fe80::7"),
            ("::ffff:192.0.2.7", address.IPv6Address, "192.0.2.7"),
        ):
            identity = identify(TCP(host, kind))
            self.assertEqual(identity, Identity(expected, None, is_clear_tcp=True))

    def test_tls(self):
        """TLS is not clear, inside any wrapper."""
        transport = TCP("192.0.2.7")
        alsoProvides(transport, ISSLTransport)
        expected = Identity("192.0.2.7", None, is_clear_tcp=False)
        self.assertEqual(identify(transport), expected)
        self.assertEqual(identify(wrapped(transport)), expected)


class ProxyTests(SynchronousTestCase):
    HEADER = b"PROXY TCP4 198.51.100.9 192.0.2.1 5555 9999\r\n"

    def proxied(self, transport, header=HEADER):
        return identify(wrapped(transport, HAProxyWrappingFactory, header))

    def test_header(self):
        """Behind a proxy, the address is that of the PROXY header."""
        expected = Identity("198.51.100.9", None, is_clear_tcp=True)
        self.assertEqual(self.proxied(TCP("192.0.2.7")), expected)
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        self.assertEqual(self.proxied(UNIX(ours)), expected)
        header = b"PROXY TCP6 2001:db8::9 2001:db8::1 5555 9999\r\n"
        self.assertEqual(self.proxied(TCP("192.0.2.7"), header).address, "2001:db8::9")

    def test_no_header(self):
        """Before the header arrives, or if it has no address, the address is the proxy's own."""
        expected = Identity("192.0.2.7", None, is_clear_tcp=True)
        self.assertEqual(self.proxied(TCP("192.0.2.7"), b""), expected)
        self.assertEqual(self.proxied(TCP("192.0.2.7"), NO_ADDRESS), expected)

    def test_nonsense(self):
        """The protocol ignores a header without an IP address, without an error."""
        header = self.HEADER.replace(b"198.51.100.9", b"nonsense")
        identity = self.proxied(TCP("192.0.2.7"), header)
        self.assertEqual(identity, Identity("local", None, is_clear_tcp=True))

    def test_user_of_the_proxy(self):
        """A client behind a proxy's UNIX socket does not get the proxy's user."""
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        self.assertEqual(self.proxied(UNIX(ours), NO_ADDRESS), LOCAL)

    def test_unix_address(self):
        """A header with a UNIX socket does not make TCP less clear."""
        addresses = b"/there".ljust(108, b"\0") + b"/here".ljust(108, b"\0")
        header = V2 + b"\x21\x31" + len(addresses).to_bytes(2, "big") + addresses
        expected = Identity("local", None, is_clear_tcp=True)
        self.assertEqual(self.proxied(TCP("192.0.2.7"), header), expected)
        secured = TCP("192.0.2.7")
        alsoProvides(secured, ISSLTransport)
        self.assertEqual(self.proxied(secured, header), LOCAL)
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        self.assertEqual(self.proxied(UNIX(ours), header), LOCAL)

    def test_tls(self):
        """A proxy's connection over TLS is not clear."""
        transport = TCP("192.0.2.7")
        alsoProvides(transport, ISSLTransport)
        self.assertEqual(
            self.proxied(transport), Identity("198.51.100.9", None, is_clear_tcp=False)
        )


class UNIXTests(SynchronousTestCase):
    def setUp(self):
        self.ours, self.theirs = socket.socketpair()
        self.addCleanup(self.ours.close)
        self.addCleanup(self.theirs.close)

    def test_credentials(self):
        """The peer of a UNIX socket is a user, inside any wrapper."""
        self.assertEqual(identify(UNIX(self.ours)), ME)
        self.assertEqual(identify(wrapped(UNIX(self.ours))), ME)

    def test_no_login_name(self):
        """A user without a login name has only a number."""
        self.patch(pwd, "getpwuid", {}.__getitem__)  # a KeyError for every user
        self.assertEqual(identify(UNIX(self.ours)), Identity(ME.address, None, is_clear_tcp=False))

    def test_large_uid(self):
        """A user id may exceed the range of a signed 32-bit number."""
        self.patch(pwd, "getpwuid", {}.__getitem__)
        answer = (1).to_bytes(4, "little") + b"\xfe\xff\xff\xff" + bytes(4)
        if int.from_bytes(b"\1\0", "little") != int.from_bytes(b"\1\0", sys.byteorder):
            answer = bytes(4) + b"\xff\xff\xff\xfe" + bytes(4)
        self.assertEqual(identify(UNIX(Handle(answer))).address, "uid:4294967294")

    def test_no_credentials(self):
        """If the system does not tell the user, the peer is local."""
        for answer in (bytes(4) + b"\xff" * 8, OSError("closed"), AttributeError("socket")):
            self.assertEqual(identify(UNIX(Handle(answer))), LOCAL)
        self.patch(socket, "SO_PEERCRED", None)
        self.assertEqual(identify(UNIX(self.ours)), LOCAL)


class OtherTests(SynchronousTestCase):
    def test_standard_streams(self):
        """A transport that is not a socket is local."""
        self.assertEqual(identify(StringTransport(peerAddress=object())), LOCAL)

    def test_memory(self):
        """A connection in memory is local."""
        server = MemoryServer()
        client = server.connect("alice")
        self.assertEqual(identify(server.session_of(client).protocol.transport), LOCAL)

    def test_no_peer(self):
        """A transport that does not know its peer, such as a process's, is local in any wrapper."""
        transport = StringTransport()
        transport.getPeer = self.fail_to_tell
        self.assertEqual(identify(transport), LOCAL)
        self.assertEqual(identify(wrapped(transport)), LOCAL)

    def fail_to_tell(self):
        raise NotImplementedError
