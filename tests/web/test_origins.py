"""Tests of the origins and names that the front accepts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import ConfigurationError
from chatd.web.origins import Host, Origins, read_host

PUNYCODE = "https://xn--bcher-kva.example"
# An origin, as an operator may give it, and as browsers send it.
GIVEN = [
    ("https://chat.example", "https://chat.example"),
    ("HTTPS://Chat.EXAMPLE", "https://chat.example"),
    ("https://chat.example/", "https://chat.example"),
    ("https://chat.example:443", "https://chat.example"),
    ("https://chat.example:00443/", "https://chat.example"),
    ("https://chat.example:80", "https://chat.example:80"),
    ("https://chat.example:65535", "https://chat.example:65535"),
    ("https://chat.example:1", "https://chat.example:1"),
    ("http://chat.example:80", "http://chat.example"),
    ("http://chat.example:443", "http://chat.example:443"),
    ("http://localhost:3000", "http://localhost:3000"),
    ("http://app.localhost", "http://app.localhost"),
    ("http://my_host-1", "http://my_host-1"),
    ("https://chat.example.", "https://chat.example."),
    ("http://192.0.2.1:8080", "http://192.0.2.1:8080"),
    ("https://[2001:DB8:0::1]:8443", "https://[2001:db8::1]:8443"),
    ("https://[::1]:443", "https://[::1]"),
    (PUNYCODE, PUNYCODE),
    ("https://Bücher.example", PUNYCODE),
    ("https://BÜCHER.example:8443/", f"{PUNYCODE}:8443"),
    ("https://bücher。example", PUNYCODE),
    ("https://faß.example", "https://xn--fa-hia.example"),
]
NO_SCHEME = "it does not begin with https:// or http://"
# What is no origin, and what is said to be wrong with it.
WRONG = [
    ("", NO_SCHEME),
    ("null", NO_SCHEME),
    ("*", NO_SCHEME),
    ("chat.example", NO_SCHEME),
    ("//chat.example", NO_SCHEME),
    ("https:/chat.example", NO_SCHEME),
    ("ftp://chat.example", NO_SCHEME),
    ("wss://chat.example", NO_SCHEME),
    ("https://", "it has no host"),
    ("https:///", "it has no host"),
    ("https://:443", "it has no host"),
    ("https://chat.example:", "it has a colon and no port"),
    ("https://chat.example:/", "it has a colon and no port"),
    ("https://chat.example:99999", "'99999' is not a port"),
    ("https://chat.example:65536", "'65536' is not a port"),
    ("https://chat.example:" + "9" * 5000, "is not a port"),
    ("https://chat.example:0", "'0' is not a port"),
    ("https://chat.example:-1", "'-1' is not a port"),
    ("https://chat.example:abc", "'abc' is not a port"),
    ("https://chat.example:4\uff14", "'4\uff14' is not a port"),
    ("https://bücher.example:abc", "'abc' is not a port"),
    ("https://[::1]:abc", "'abc' is not a port"),
    ("https://a:1:2", "'a:1:2' is not a host"),
    ("https://::1", "'::1' is not a host"),
    ("https://[::1", "'[::1' is not a host"),
    ("https://[::1]x", "'[::1]x' is not a host"),
    ("https://[1.2.3.4]", "'[1.2.3.4]' is not a host"),
    ("https://[::1%25eth0]", "'[::1%25eth0]' is not a host"),
    ("http://127.1", "'127.1' is not a host"),
    ("http://0x7f000001", "'0x7f000001' is not a host"),
    ("http://192.0.2.256", "'192.0.2.256' is not a host"),
    ("http://.", "'.' is not a host"),
    ("http://a..b", "'a..b' is not a host"),
    ("http://.a", "'.a' is not a host"),
    ("http://" + "a" * 64, "is not a host"),
    ("http://" + "a." * 127 + "a", "is not a host"),
    ("http://a b", "'a b' is not a host"),
    (" http://a", NO_SCHEME),
    ("http://a\n", "'a\\n' is not a host"),
    ("http://a%41", "'a%41' is not a host"),
    ("http://a\u2028b", "'a\\u2028b' is not a host; try its form with xn--"),
    ("http://☃.example", "'☃.example' is not a host; try its form with xn--"),
    ("http://" + "é" * 300, "is not a host; try its form with xn--"),
    ("https://chat.example/app", "it has a path"),
    ("https://chat.example//", "it has a path"),
    ("https://chat.example/?a", "it has a path"),
    ("https://chat.example?a", "it has a query"),
    ("https://chat.example#a", "it has a fragment"),
    ("https://user:secret@chat.example", "it has a user"),
    ("https://*.example", "it has a wildcard"),
]


def admits(origin: str, host: str, *allowed: str, is_tls: bool = False) -> bool:
    """Return whether a page may connect to a host."""
    found = read_host(host)
    assert found is not None, host
    return Origins(allowed).admits([origin], found, is_tls=is_tls)


class GivenTests(SynchronousTestCase):
    """The origins that the operator gives."""

    def test_given(self) -> None:
        """Each form of an origin admits what browsers send for it, and nothing else of the host."""
        for given, sent in GIVEN:
            self.assertTrue(admits(sent, "other.example", given), given)
            other_scheme = (
                sent.replace("https:", "http:") if "https" in sent else f"https{sent[4:]}"
            )
            for other in (other_scheme, f"{sent}0", sent.replace("://", "://a.")):
                self.assertFalse(admits(other, "other.example", given), (given, other))

    def test_wrong(self) -> None:
        """What is no origin is refused in one line, which says what is wrong, with an example."""
        for wrong, fault in WRONG:
            error = self.assertRaises(ConfigurationError, Origins, ["https://a.example", wrong])
            told = str(error)
            self.assertTrue(told.startswith(f"--web-origin {wrong!r}: "), told)
            self.assertIn(fault, told.partition(f"{wrong!r}: ")[2], told)
            self.assertTrue(told.endswith("; it takes an origin such as https://chat.example.org"))
            self.assertTrue(told.isprintable(), told)


class AdmitTests(SynchronousTestCase):
    """The pages that may connect."""

    def test_own_origin(self) -> None:
        """The server's own page may connect, also if a proxy has ended TLS."""
        for origin, host in (
            ("http://chat.example:8080", "chat.example:8080"),
            ("https://chat.example:8080", "chat.example:8080"),
            ("https://chat.example", "chat.example"),
            ("https://CHAT.example", "Chat.Example"),
            ("http://[::1]:8080", "[::1]:8080"),
            ("http://[0:0::1]:8080", "[::1]:8080"),
        ):
            self.assertTrue(admits(origin, host), (origin, host))

    def test_usual_ports(self) -> None:
        """A port that is the usual one of the scheme is the same as none, on either side."""
        for origin, host, is_admitted in (
            ("https://chat.example", "chat.example:443", True),
            ("https://chat.example:443", "chat.example", True),
            ("https://chat.example:443", "chat.example:443", True),
            ("http://chat.example", "chat.example:80", True),
            ("http://chat.example:80", "chat.example", True),
            ("https://chat.example", "chat.example:", True),
            ("https://chat.example", "chat.example:80", False),
            ("http://chat.example", "chat.example:443", False),
            ("https://chat.example:80", "chat.example", False),
            ("http://chat.example:443", "chat.example", False),
        ):
            self.assertIs(admits(origin, host), is_admitted, (origin, host))

    def test_programs(self) -> None:
        """A program that is no browser names no origin, and may connect."""
        for is_tls in (False, True):
            self.assertTrue(Origins().admits([], Host("chat.example", None), is_tls=is_tls))

    def test_other_origins(self) -> None:
        """Pages of other hosts, ports and schemes may not connect, nor pages without an origin."""
        for origin in (
            "http://evil.example",
            "http://chat.example:8080",
            "http://chat.example.evil.example",
            "http://evil.example:80@chat.example",
            "http://chat.example@evil.example",
            "http://chat.example:99999",
            "http://chat.example/",
            "http://chat.example\nhttp://evil.example",
            "http://chat.example.",
            "http://a.chat.example",
            "file://chat.example",
            "ws://chat.example",
            "null",
            "",
            "chat.example",
        ):
            self.assertFalse(admits(origin, "chat.example"), origin)

    def test_localhost(self) -> None:
        """Names below localhost are origins of their own."""
        for origin in ("http://app.localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"):
            self.assertFalse(admits(origin, "localhost:8080"), origin)
            self.assertTrue(admits(origin, origin.partition("://")[2]), origin)

    def test_tls(self) -> None:
        """For a browser that uses TLS, a page that came without TLS is foreign, unless allowed."""
        plain, secure = "http://chat.example", "https://chat.example"
        for origin, is_tls, is_admitted in (
            (plain, False, True),
            (secure, False, True),
            (plain, True, False),
            (secure, True, True),
        ):
            self.assertIs(admits(origin, "chat.example", is_tls=is_tls), is_admitted, origin)
        self.assertTrue(admits(plain, "chat.example", plain, is_tls=True))
        self.assertFalse(admits("http://chat.example:443", "chat.example:443", is_tls=True))

    def test_several(self) -> None:
        """A request with two origins is refused."""
        self.assertFalse(Origins().admits(["http://a", "http://a"], Host("a", None)))


class NameTests(SynchronousTestCase):
    """The names of the server."""

    def test_hosts(self) -> None:
        """A Host field is read as a name or an address, and a port."""
        for value, host in (
            ("Chat.Example", ("chat.example", None)),
            ("chat.example:8080", ("chat.example", 8080)),
            ("chat.example:65535", ("chat.example", 65535)),
            ("chat.example:", ("chat.example", None)),
            ("127.0.0.1:80", ("127.0.0.1", 80)),
            ("[::1]:8080", ("::1", 8080)),
            ("[2001:DB8:0::1]", ("2001:db8::1", None)),
            *((wrong, None) for wrong in ("", "a b", "a/b", "a:b", "a@b", "a\0", "a\n", "é", ":1")),
            *((wrong, None) for wrong in ("a:65536", "a:123456", "a:-1", "a:1:2", "::1", "[::1")),
            *((wrong, None) for wrong in ("[::::]", "[1.2.3.4]", "[::1]a", "a" * 254)),
        ):
            self.assertEqual(read_host(value), host, value)

    def test_own_names(self) -> None:
        """Localhost, addresses and the names of allowed origins are names of a local server."""
        origins = Origins(["https://chat.example.org:8443", "https://Bücher.example"])
        for name, is_own in (
            ("localhost", True),
            ("localhost.", True),
            ("app.localhost", True),
            ("127.0.0.1", True),
            ("::1", True),
            ("192.0.2.1", True),
            ("chat.example.org", True),
            ("xn--bcher-kva.example", True),
            ("example.org", False),
            ("a.chat.example.org", False),
            ("rebound.evil.example", False),
            ("localhost.evil.example", False),
            ("evillocalhost", False),
        ):
            self.assertIs(origins.is_own_name(name), is_own, name)
