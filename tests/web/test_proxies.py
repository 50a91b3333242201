"""Tests of the proxies that the front believes."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import ConfigurationError
from chatd.transport.streams import NoAddress
from chatd.web.proxies import Proxies

UNIX = UNIXAddress(b"/run/web.sock")


def ip(host: str, port: int = 40_000) -> IPv4Address | IPv6Address:
    return (IPv6Address if ":" in host else IPv4Address)("TCP", host, port)


class ClientTests(SynchronousTestCase):
    def client(self, peer, forwarded=(), proto=(), proxies=("10.0.0.0/8", "::1", "127.0.0.1")):
        return Proxies(proxies).client(peer, forwarded, proto)

    def host(self, *arguments, **options) -> str | None:
        return getattr(self.client(*arguments, **options).address, "host", None)

    def test_stranger(self) -> None:
        """Nobody else is believed: the peer itself is the client."""
        self.assertEqual(self.host(ip("192.0.2.1"), ["198.51.100.7"]), "192.0.2.1")
        self.assertEqual(self.host(ip("10.1.2.3"), ["198.51.100.7"], proxies=()), "10.1.2.3")

    def test_rightmost(self) -> None:
        """The client is the rightmost address that is no proxy; a client writes to its left."""
        for forwarded, host in (
            (["198.51.100.7"], "198.51.100.7"),
            (["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
            (["1.1.1.1", "198.51.100.7 , 10.9.9.9"], "198.51.100.7"),
            (["2001:db8::7"], "2001:db8::7"),
            (["::ffff:198.51.100.7"], "198.51.100.7"),
            (["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
            (["1.1.1.1, 198.51.100.7:99"], "198.51.100.7"),
            (["[2001:db8::7]:99, 10.0.0.2:80"], "2001:db8::7"),
            (["[2001:db8::7]"], "2001:db8::7"),
        ):
            self.assertEqual(self.host(ip("10.1.2.3"), forwarded), host, forwarded)

    def test_nonsense(self) -> None:
        """What is no address hides everything to the left of it."""
        for forwarded, host in (
            ([], "10.1.2.3"),
            ([""], "10.1.2.3"),
            (["unknown"], "10.1.2.3"),
            (["198.51.100.7:"], "10.1.2.3"),
            (["[198.51.100.7"], "10.1.2.3"),
            (["198.51.100.7, nonsense"], "10.1.2.3"),
            (["198.51.100.7, nonsense, 10.0.0.9"], "10.0.0.9"),
        ):
            self.assertEqual(self.host(ip("10.1.2.3"), forwarded), host, forwarded)

    def test_mapped_proxy(self) -> None:
        """A proxy is known by its IPv4 address also on an IPv6 socket."""
        self.assertEqual(self.host(ip("::ffff:127.0.0.1"), ["198.51.100.7"]), "198.51.100.7")

    def test_no_address(self) -> None:
        """A peer whose address is no IP address, as in a damaged PROXY header, is no proxy."""
        peer = IPv4Address("TCP", "nowhere", 1)
        self.assertFalse(Proxies(["0.0.0.0/0"]).is_proxy(peer))
        self.assertIs(self.client(peer, ["198.51.100.7"], proxies=["0.0.0.0/0"]).address, peer)

    def test_unix(self) -> None:
        """On a UNIX socket, a proxy is believed only if the operator says so."""
        there = ["198.51.100.7"]
        self.assertEqual(self.host(UNIX, there, proxies=("unix",)), "198.51.100.7")
        for proxies, forwarded in (((), there), (("10.0.0.0/8",), there), (("unix",), [])):
            client = self.client(UNIX, forwarded, proxies=proxies)
            self.assertIsInstance(client.address, NoAddress)

    def test_private(self) -> None:
        """A local proxy that ends TLS makes the way private; a proxy elsewhere does not."""
        for peer, proto, is_tls, is_private in (
            (ip("127.0.0.1"), ["https"], True, True),
            (ip("::1"), [" HTTPS "], True, True),
            (UNIX, ["https"], True, True),
            (ip("127.0.0.1"), ["http"], False, False),
            (ip("127.0.0.1"), [], False, False),
            (ip("127.0.0.1"), ["https", "http"], False, False),
            (ip("127.0.0.1"), ["https, http"], False, False),
            (ip("10.0.0.1"), ["https"], True, False),
            (ip("10.0.0.1"), ["http"], False, False),
            (ip("192.0.2.1"), ["https"], False, False),
        ):
            client = self.client(
                peer, ["198.51.100.7"], proto, proxies=("10.0.0.0/8", "::1", "127.0.0.1", "unix")
            )
            self.assertEqual(
                (client.is_tls, client.is_private), (is_tls, is_private), (peer, proto)
            )

    def test_no_proxy(self) -> None:
        """What is no proxy is refused in one line."""
        for wrong in ("", "proxy.example", "10.0.0.0/99", "10.1.2.3/8", "Unix"):
            error = self.assertRaises(ConfigurationError, Proxies, [wrong])
            self.assertIn(f"--web-proxy {wrong!r}: it takes an IP address", str(error))
            self.assertEqual(len(str(error).splitlines()), 1)
