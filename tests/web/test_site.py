"""Tests of the front's answers to HTTP requests."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.interfaces import IProtocolNegotiationFactory

from chatd.server.limits import Limits
from chatd.web.answers import POLICY
from chatd.web.channel import READ_TIMEOUT_S
from tests.web.cases import HOST, OPENING, PAGE, TlsConnection, WebCase

SECURE_FIELDS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


class PageTests(WebCase):
    def test_page(self) -> None:
        """The page's files are given with their types, and with the fields that protect them."""
        for path, file in PAGE.items():
            reply = self.browser().ask(path=path.decode())
            self.assertEqual((reply.status, reply.body), (200, file.content))
            self.assertLessEqual(SECURE_FIELDS.items(), reply.fields.items())
            self.assertEqual(reply.fields["content-type"], file.media_type.decode())
            self.assertEqual(reply.fields["content-length"], str(len(file.content)))
            self.assertEqual(reply.fields["date"], "Thu, 01 Jan 1970 00:00:00 GMT")
            self.assertNotIn("server", reply.fields)

    def test_policy(self) -> None:
        """The policy allows nothing from elsewhere, nothing inline and no HTML put together."""
        self.assertIn("default-src 'none'", POLICY)
        self.assertIn("trusted-types 'none'", POLICY)
        for weakness in ("unsafe", "*", "http", "data:"):
            self.assertNotIn(weakness, POLICY)

    def test_query(self) -> None:
        """A query does not change the answer."""
        self.assertEqual(self.browser().ask(path="/?room=ops&a=%00").body, PAGE[b"/"].content)

    def test_absolute_target(self) -> None:
        """A target may have a host, which takes the place of the Host field."""
        for path, status in (
            ("http://localhost:8080/?a", 200),
            ("HTTPS://localhost", 200),
            ("http://localhost/nowhere", 404),
            ("http://localhost?/nowhere", 200),
            ("http:///", 400),
            ("http://user@localhost/", 400),
            ("http://evil.example/", 403),
            ("ftp://localhost/", 404),
        ):
            reply = self.browser(host="127.0.0.1").ask(path=path)
            self.assertEqual(reply.status, status, path)
        self.assertEqual(self.browser().ask(path="http://localhost/", host="").status, 400)

    def test_head(self) -> None:
        """HEAD gets the fields of GET, and no body."""
        given, told = self.browser().ask(), self.browser().ask(method="HEAD")
        self.assertEqual((told.status, told.fields, told.body), (200, given.fields, b""))

    def test_known_version(self) -> None:
        """A browser that has the file already gets no body."""
        for known in ('"one"', '"zero", W/"one"', "*"):
            reply = self.browser().ask(f"If-None-Match: {known}")
            self.assertEqual((reply.status, reply.body), (304, b""))
            self.assertEqual(reply.fields["etag"], '"one"')
        self.assertEqual(self.browser().ask('If-None-Match: "zero"').status, 200)

    def test_unknown_path(self) -> None:
        """Other paths are not found, whatever they look like."""
        for path in ("/nowhere", "/../setup.cfg", "/app", "/app/", "//", "/%2e%2e/", "*", "/ws/x"):
            reply = self.browser().ask(path=path)
            self.assertEqual((reply.status, reply.body), (404, b"404 Not Found\n"), path)
            self.assertLessEqual(SECURE_FIELDS.items(), reply.fields.items())

    def test_other_methods(self) -> None:
        """Other methods are not allowed, on any path."""
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "FOO"):
            for path in ("/", "/nowhere", "/ws"):
                reply = self.browser().ask(method=method, path=path)
                self.assertEqual((reply.status, reply.fields["allow"]), (405, "GET, HEAD"))

    def test_not_a_websocket(self) -> None:
        """An ordinary request for the WebSocket is told what is there."""
        reply = self.browser().ask(path="/ws")
        self.assertEqual((reply.status, reply.fields["upgrade"]), (426, "websocket"))
        self.assertIn(b"chatd.v1", reply.body)


class HostTests(WebCase):
    def test_no_host(self) -> None:
        """A request needs one Host; a wrong Host is refused without a traceback."""
        self.assertEqual(self.browser().ask(host="").status, 400)
        for host in ("Host: ", "Host: a b", "Host: a/b", f"{HOST}\r\n{HOST}"):
            self.assertEqual(self.browser().ask(host=host).status, 400, host)

    def test_rebound(self) -> None:
        """On loopback, a name that somebody may have pointed there is refused."""
        for host, status in (
            ("localhost", 200),
            ("127.0.0.1:8080", 200),
            ("[::1]:8080", 200),
            ("evil.example", 403),
            ("localhost.evil.example:8080", 403),
            ("app.localhost:8080", 200),
        ):
            reply = self.browser(host="127.0.0.1").ask(host=f"Host: {host}")
            self.assertEqual(reply.status, status, host)
        self.assertEqual(self.browser(host="127.0.0.1").ask(path="/ws", host="Host: a").status, 403)

    def test_reachable(self) -> None:
        """A front on another address has any name."""
        self.assertEqual(self.browser(host="192.0.2.80").ask(host="Host: chat.example").status, 200)

    def test_behind_a_proxy(self) -> None:
        """On loopback, a proxy of the server may pass any name on; nobody else may."""
        local = IPv4Address("TCP", "127.0.0.1", 40_000)
        for proxies, status in ((["127.0.0.1"], 200), (["192.0.2.1"], 403), ([], 403)):
            self.serve(proxies=proxies)
            browser = self.browser(host="127.0.0.1", peer=local)
            self.assertEqual(browser.ask(host="Host: chat.example").status, status, proxies)

    def test_unix(self) -> None:
        """A front on a UNIX socket has any name: no browser gets there without a proxy."""
        browser = self.browser(peer=UNIXAddress(None))
        browser.transport.host = UNIXAddress(b"/web.sock")
        self.assertEqual(browser.ask(host="Host: chat.example").status, 200)

    def test_allowed(self) -> None:
        """On loopback, the name of an allowed origin is accepted."""
        self.serve(["https://chat.example"])
        self.assertEqual(self.browser(host="127.0.0.1").ask(host="Host: chat.example").status, 200)
        self.assertEqual(self.browser(host="127.0.0.1").ask(host="Host: evil.example").status, 403)


class OriginTests(WebCase):
    """The front compares the origin of a page with what it knows of the request."""

    def test_tls(self) -> None:
        """Over TLS, a page that came without TLS is foreign; a proxy may have ended TLS."""
        self.serve(proxies=["192.0.2.1"])
        secure, plain = "Origin: https://localhost:8080", "Origin: http://localhost:8080"
        told, stranger = "X-Forwarded-Proto: https", {"peer": IPv4Address("TCP", "192.0.2.9", 1)}
        for lines, options, status in (
            ([secure], {"transport_class": TlsConnection}, 101),
            ([plain], {"transport_class": TlsConnection}, 403),
            ([secure, told], {}, 101),
            ([plain, told], {}, 403),
            ([plain, "X-Forwarded-Proto: http"], {}, 101),
            ([secure, "X-Forwarded-Proto: http"], {}, 101),  # a proxy before this one
            ([secure], {}, 101),
            ([plain, told], stranger, 101),
        ):
            self.assertEqual(self.peer(*lines, **options).reply.status, status, lines)


class ProtocolTests(WebCase):
    def test_tls(self) -> None:
        """TLS may agree on HTTP/1.1 alone."""
        negotiating = IProtocolNegotiationFactory(self.front)
        self.assertEqual(negotiating.acceptableProtocols(), [b"http/1.1"])


class ConnectionTests(WebCase):
    """The front's own connections are bounded."""

    def setUp(self) -> None:
        self.serve(limits=Limits(max_unestablished=3))

    def test_bound(self) -> None:
        """For each connection too many, the oldest of the address that has most is cut off."""
        browsers = [self.browser() for _ in range(5)]
        self.assertEqual([each.transport.is_lost for each in browsers], [True] * 2 + [False] * 3)

    def test_sessions_stay(self) -> None:
        """A WebSocket does not count among them."""
        alice = self.join("alice")
        browsers = [self.browser() for _ in range(10)]
        self.assertEqual(sum(not each.transport.is_lost for each in browsers), 3)
        self.assertFalse(alice.transport.is_lost)

    def test_told_address(self) -> None:
        """A connection counts for the address that a PROXY header has told."""
        first, second, third = (
            self.browser(peer=IPv4Address("TCP", host, 1))
            for host in ("203.0.113.1", "192.0.2.1", "192.0.2.1")
        )
        for browser, told in ((second, "203.0.113.2"), (third, "203.0.113.3")):
            browser.transport.peer = IPv4Address("TCP", told, 1)
            browser.transport.protocol.peer_told()
        self.browser(peer=IPv4Address("TCP", "203.0.113.4", 1))
        lost = [each.transport.is_lost for each in (first, second, third)]
        self.assertEqual(lost, [True, False, False])

    def test_make_room(self) -> None:
        """When the system has no room, one of the front's own connections is cut off."""
        first, second = self.browser(), self.browser()
        self.assertEqual([self.front.make_room() for _ in range(3)], [True, True, False])
        self.assertTrue(first.transport.is_lost and second.transport.is_lost)

    def test_close(self) -> None:
        """A front that is closed closes its own connections, and sessions go on."""
        alice, browser = self.join("alice"), self.browser()
        self.front.close()
        self.assertEqual((browser.transport.ends, alice.transport.ends), (["close"], []))
        self.clock.advance(READ_TIMEOUT_S)
        self.assertTrue(browser.transport.is_lost)

    def test_stop(self) -> None:
        """A front that stops listening closes its own connections."""
        self.front.doStart()
        browser = self.browser()
        self.front.doStop()
        self.assertEqual(browser.transport.ends, ["close"])

    def test_start_again(self) -> None:
        """A server that is stopped and started again accepts clients of its only front."""
        self.front.doStart()
        self.chat.shut_down(5)
        self.front.doStop()
        self.assertIsNone(self.front.buildProtocol(None))
        self.front.doStart()
        self.assertEqual(self.peer().reply.status, 101)

    def test_shutting_down(self) -> None:
        """A server that shuts down accepts no connection and opens no WebSocket."""
        browser = self.browser()
        self.chat.shut_down(5)
        self.assertIsNone(self.front.buildProtocol(None))
        self.assertEqual(browser.ask(*OPENING, path="/ws").status, 503)
