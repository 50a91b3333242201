"""Tests of the origins and names that the front accepts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import ConfigurationError
from chatd.web.origins import Origins, host_name


class AdmitTests(SynchronousTestCase):
    def admits(self, origin: str, host: str, *allowed: str) -> bool:
        return Origins(allowed).admits([origin], host)

    def test_own_origin(self) -> None:
        """The server's own page may connect, also if a proxy has ended TLS."""
        for origin in ("http://chat.example:8080", "https://chat.example:8080"):
            self.assertTrue(self.admits(origin, "chat.example:8080"), origin)
        self.assertTrue(self.admits("https://CHAT.example", "Chat.Example"))

    def test_programs(self) -> None:
        """A program that is no browser names no origin, and may connect."""
        self.assertTrue(Origins().admits([], "chat.example"))

    def test_other_origins(self) -> None:
        """Pages of other hosts, ports and schemes may not connect, nor pages without an origin."""
        for origin in (
            "http://evil.example",
            "http://chat.example:8080",
            "http://chat.example.evil.example",
            "file://chat.example",
            "null",
            "",
            "chat.example",
        ):
            self.assertFalse(self.admits(origin, "chat.example"), origin)

    def test_several(self) -> None:
        """A request with two origins is refused."""
        self.assertFalse(Origins().admits(["http://a", "http://a"], "a"))

    def test_allowed(self) -> None:
        """The operator can allow more origins, each with its scheme."""
        allowed = ("https://intranet.example", "http://localhost:3000")
        for origin, is_admitted in (
            ("https://intranet.example", True),
            ("http://intranet.example", False),
            ("http://localhost:3000", True),
            ("http://localhost:3001", False),
        ):
            self.assertIs(self.admits(origin, "chat.example", *allowed), is_admitted, origin)

    def test_no_origin(self) -> None:
        """What is no origin is refused in one line, with an example."""
        for wrong in ("", "chat.example", "https://", "https://a/b", "https://a b", "ftp://a", "*"):
            error = self.assertRaises(ConfigurationError, Origins, [wrong])
            self.assertIn("it takes an origin such as https://chat.example.org", str(error), wrong)
            self.assertEqual(len(str(error).splitlines()), 1)


class NameTests(SynchronousTestCase):
    def test_hosts(self) -> None:
        """The name in a Host field is read without its port and its brackets."""
        for host, name in (
            ("Chat.Example", "chat.example"),
            ("chat.example:8080", "chat.example"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]:8080", "::1"),
            ("", None),
            ("a b", None),
            ("a/b", None),
            ("a:b", None),
            ("a@b", None),
            ("a\0", None),
        ):
            self.assertEqual(host_name(host), name, host)

    def test_own_names(self) -> None:
        """Localhost, addresses and the names of allowed origins are names of a local server."""
        origins = Origins(["https://chat.example.org"])
        for name, is_own in (
            ("localhost", True),
            ("127.0.0.1", True),
            ("::1", True),
            ("192.0.2.1", True),
            ("chat.example.org", True),
            ("rebound.evil.example", False),
            ("localhost.evil.example", False),
        ):
            self.assertIs(origins.is_own_name(name), is_own, name)
