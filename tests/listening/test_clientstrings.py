"""Tests of `chatd.listening.clientstrings`."""

from __future__ import annotations

from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.endpoints import client_endpoint
from chatd.listening.clientstrings import client_string, page_address


class ClientStringTests(SynchronousTestCase):
    """A port's address is told as the endpoint string of a client."""

    def test_strings(self) -> None:
        """The string has the real port, TLS if the port has it, and escaped colons."""
        ipv4, ipv6 = IPv4Address("TCP", "0.0.0.0", 4321), IPv6Address("TCP", "::1", 4321)
        for description, address, expected in (
            ("tcp:0", ipv4, "tcp:0.0.0.0:4321"),
            ("tcp6:0", ipv6, r"tcp:\:\:1:4321"),
            ("haproxy:tcp:0", ipv4, "tcp:0.0.0.0:4321"),
            ("systemd:domain=INET:index=0", ipv4, "tcp:0.0.0.0:4321"),
            ("ssl:0:privateKey=x", ipv4, "tls:HOST:4321"),
            ("haproxy:tls:x:0", ipv6, "tls:HOST:4321"),
            ("unix:x:mode=600", UNIXAddress("/run/x"), "unix:/run/x"),
            ("unix:a\\:b", UNIXAddress("/run/a:b"), r"unix:/run/a\:b"),
        ):
            self.assertEqual(client_string(description, address), expected)
            client_endpoint(MemoryReactorClock(), expected)

    def test_pages(self) -> None:
        """The page has the real port, and a name stands for what browsers cannot be given."""
        for description, address, expected in (
            ("tcp:0", IPv4Address("TCP", "127.0.0.1", 4321), "http://127.0.0.1:4321/"),
            ("tcp6:0", IPv6Address("TCP", "::1", 4321), "http://[::1]:4321/"),
            ("tcp:0", IPv4Address("TCP", "0.0.0.0", 4321), "http://HOST:4321/"),
            ("tcp6:0", IPv6Address("TCP", "::", 4321), "http://HOST:4321/"),
            ("ssl:0:privateKey=x", IPv4Address("TCP", "127.0.0.1", 4321), "https://HOST:4321/"),
            ("haproxy:tls:x:0", IPv6Address("TCP", "::1", 4321), "https://HOST:4321/"),
            ("unix:x", UNIXAddress("/run/x"), None),
            ("stdio:", None, None),
        ):
            self.assertEqual(page_address(description, address), expected)

    def test_none(self) -> None:
        """An address without such a string has none."""
        for address in (
            None,
            UNIXAddress(None),
            UNIXAddress(b"\0abstract"),
            UNIXAddress(b"/a\nb"),
            HostnameAddress(b"localhost", 1),
        ):
            self.assertIsNone(client_string("plugin:x", address))
