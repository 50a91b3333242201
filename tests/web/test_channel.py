"""Tests of HTTP connections: their time, their size and their faults."""

from __future__ import annotations

import gc
from typing import Any
from weakref import ref

from twisted.logger import LogLevel, capturedLogs
from twisted.protocols.policies import WrappingFactory
from websockets.frames import Frame, Opcode

from chatd.web.channel import HEAD_TIMEOUT_S, MAX_HEAD, READ_TIMEOUT_S
from chatd.web.websocket import ServerWebSocket
from tests.fakes.peers import PipeTransport
from tests.web.cases import HOST, OPENING, PAGE, Browser, Reply, WebCase, WebConnection

GET = f"GET / HTTP/1.1\r\n{HOST}\r\n\r\n".encode()


class TimeTests(WebCase):
    def is_over(self, browser: Browser) -> bool:
        return bool(browser.transport.ends)

    def test_idle(self) -> None:
        """A connection without a request is closed after ten seconds."""
        browser = self.browser()
        self.clock.advance(HEAD_TIMEOUT_S - 0.1)
        self.assertFalse(self.is_over(browser))
        self.clock.advance(0.1)
        self.assertEqual(browser.transport.ends, ["close"])

    def test_dripped(self) -> None:
        """A head that arrives byte by byte gets no more time."""
        browser = self.browser()
        for byte in b"GET / HTTP/1.1":
            browser.send(bytes([byte]))
            self.clock.advance(1.0)
        self.assertTrue(self.is_over(browser))

    def test_after_an_answer(self) -> None:
        """After an answer, the time for the next request begins again."""
        browser = self.browser()
        for _ in range(3):
            self.clock.advance(HEAD_TIMEOUT_S - 1)
            self.assertEqual(browser.ask().status, 200)
            self.clock.advance(0)
        self.clock.advance(HEAD_TIMEOUT_S)
        self.assertTrue(self.is_over(browser))

    def test_answer_is_not_read(self) -> None:
        """A peer that does not read its answer is cut off."""
        browser = self.browser()
        browser.send(GET)
        browser.transport.accept_no_more()
        self.clock.advance(HEAD_TIMEOUT_S)
        self.assertFalse(browser.transport.is_lost)
        self.clock.advance(READ_TIMEOUT_S)
        self.assertTrue(browser.transport.is_lost)

    def test_nothing_left(self) -> None:
        """A connection that has ended leaves no timer."""
        browser = self.browser()
        browser.ask()
        browser.transport.lose()
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_websocket(self) -> None:
        """The time for requests does not end a session."""
        alice = self.join("alice")
        self.clock.advance(HEAD_TIMEOUT_S)
        self.assertEqual((alice.transport.ends, alice.session.connection.is_over), ([], False))


class PipelineTests(WebCase):
    def test_one_at_a_time(self) -> None:
        """Requests that arrive together are answered one in each turn."""
        browser = self.browser()
        browser.send(GET * 3)
        for _ in range(3):
            self.assertEqual(browser.take().count(PAGE[b"/"].content), 1)
            self.clock.turn()
        self.assertEqual(browser.take(), b"")

    def test_between_turns(self) -> None:
        """A request that arrives before the next turn is answered in that turn, once."""
        browser = self.browser()
        browser.send(GET)
        browser.take()
        for piece in (GET[:30], GET[30:], GET[:10]):
            browser.send(piece)
        self.assertEqual(browser.take(), b"")
        self.clock.turn()
        self.assertEqual(browser.take().count(PAGE[b"/"].content), 1)
        self.clock.turn()
        browser.send(GET[10:])
        self.assertEqual(browser.take().count(PAGE[b"/"].content), 1)

    def test_websocket_between_turns(self) -> None:
        """A WebSocket that is asked for before the next turn opens in that turn."""
        browser = self.browser()
        browser.send(GET)
        browser.take()
        lines = ["GET /ws HTTP/1.1", HOST, *OPENING, "", ""]
        browser.send("\r\n".join(lines).encode() + Frame(Opcode.PING, b"x").serialize(mask=True))
        self.assertEqual(browser.take(), b"")
        self.clock.turn()
        data = browser.take()
        self.assertTrue(data.startswith(b"HTTP/1.1 101 "), data)
        self.assertTrue(data.endswith(Frame(Opcode.PONG, b"x").serialize(mask=False)))

    def test_lost_between_turns(self) -> None:
        """A connection that is lost gets no answers to the requests that it has sent."""
        browser = self.browser()
        browser.send(GET * 3)
        browser.take()
        browser.transport.lose()
        self.clock.finish()
        self.assertEqual(browser.take(), b"")

    def test_unread_answers(self) -> None:
        """No request is answered while the peer does not read the last answer."""
        browser = self.browser()
        browser.send(GET)
        browser.transport.accept_no_more()
        browser.take()
        browser.send(GET * 10)
        self.clock.turn()
        self.assertEqual((browser.take(), browser.transport.is_reading), (b"", False))
        browser.transport.accept_again()
        self.assertTrue(browser.transport.is_reading)
        self.clock.turn()
        self.assertEqual(browser.take().count(PAGE[b"/"].content), 1)

    def test_close(self) -> None:
        """The connection is closed after the answer if the peer asks for that."""
        browser = self.browser()
        self.assertEqual(browser.ask("Connection: close").status, 200)
        self.assertEqual(browser.transport.ends, ["close"])

    def test_old_version(self) -> None:
        """HTTP/1.0 gets an answer, and the connection is closed."""
        browser = self.browser()
        browser.send(f"GET / HTTP/1.0\r\n{HOST}\r\n\r\n".encode())
        self.assertEqual(Reply(browser.take()).body, PAGE[b"/"].content)
        self.assertEqual(browser.transport.ends, ["close"])


class HalfCloseTests(WebCase):
    """A peer that sends nothing more gets its answers, and then the connection is closed."""

    def test_answered(self) -> None:
        """All requests that arrived before are answered."""
        for count in (1, 3):
            browser = self.browser()
            browser.send(GET * count)
            browser.transport.protocol.readConnectionLost()
            for _ in range(count + 1):
                self.clock.turn()
            self.assertEqual(browser.take().count(PAGE[b"/"].content), count)
            self.assertEqual(browser.transport.ends, ["close"])

    def test_incomplete(self) -> None:
        """An incomplete request ends the connection at once."""
        browser = self.browser()
        browser.send(GET[:-1])
        browser.transport.protocol.readConnectionLost()
        browser.transport.protocol.writeConnectionLost()
        self.assertEqual((browser.take(), browser.transport.ends), (b"", ["close"]))


class EndTests(WebCase):
    def test_no_abort(self) -> None:
        """A connection that cannot be cut off is closed instead."""
        channel: Any = self.front.buildProtocol(None)
        pipe = PipeTransport(channel)
        channel.transport = pipe
        channel.abort()
        self.assertEqual(pipe.ends, ["close"])

    def test_forgotten(self) -> None:
        """Once a WebSocket is open, nothing keeps the objects of its HTTP request in memory."""
        browser = self.browser()
        channel = ref(browser.transport.protocol)
        gc.disable()
        self.addCleanup(gc.enable)
        browser.ask(*OPENING, path="/ws")
        self.assertIsInstance(browser.transport.protocol, ServerWebSocket)
        self.assertIsNone(channel())

    def test_over_a_wrapper(self) -> None:
        """Over TLS or the PROXY protocol, a WebSocket takes the place of the channel, too."""
        factory: Any = WrappingFactory(self.front)
        wrapper: Any = factory.buildProtocol(None)
        transport = WebConnection(wrapper)
        wrapper.makeConnection(transport)
        lines = ["GET /ws HTTP/1.1", HOST, *OPENING, "", ""]
        wrapper.dataReceived("\r\n".join(lines).encode())
        self.assertIsInstance(wrapper.wrappedProtocol, ServerWebSocket)
        self.assertIs(transport.protocol, wrapper)
        wrapper.dataReceived(Frame(Opcode.PING, b"x").serialize(mask=True))
        self.assertEqual(transport.writes[-1], Frame(Opcode.PONG, b"x").serialize(mask=False))
        transport.lose()
        self.assertEqual(len(self.chat.engine.connections), 0)


class FaultTests(WebCase):
    """Bad HTTP gets the status 400 and a closed connection, and nothing is logged as a failure."""

    def check_refused(self, *heads: bytes) -> None:
        for head in heads:
            with capturedLogs() as logged:
                browser = self.browser()
                browser.send(head)
            self.assertEqual(Reply(browser.take()).status, 400, head[:60])
            self.assertEqual(browser.transport.ends, ["close"], head[:60])
            failures = [each for each in logged if each["log_level"] >= LogLevel.warn]
            self.assertEqual(failures, [])

    def test_no_http(self) -> None:
        """Other protocols and damaged requests are refused."""
        self.check_refused(
            b"\x89CHATD\r\n" * 2,
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"GET /\r\n\r\n",
            b"GET / HTTP/2.0\r\n\r\n",
            b"GET  / HTTP/1.1\r\n\r\n",
            b"G\0T / HTTP/1.1\r\n\r\n",
            b"GET /\xff HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost\r\n\r\n",
            b"GET / HTTP/1.1\r\nHo st: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        )

    def test_control_characters(self) -> None:
        """A control character in a field is refused, for the page and for the WebSocket."""
        for number in sorted({*range(32), 127} - set(b"\t\r\n")):
            for path in ("/", "/ws"):
                lines = [f"GET {path} HTTP/1.1", HOST, *OPENING, f"X: a{chr(number)}b", "", ""]
                self.check_refused("\r\n".join(lines).encode())

    def test_target(self) -> None:
        """A target with other bytes than visible ASCII is refused, for the page and the WebSocket.

        Python takes some of these bytes for white space or for the end of a line.
        """
        for byte in b"\x0b\x0c\x1b\x1c\x7f\x85\xa0\xff":
            for path in ("/?", "/ws?"):
                lines = [f"GET {path}{chr(byte)} HTTP/1.1", HOST, *OPENING, "", ""]
                self.check_refused("\r\n".join(lines).encode("latin-1"))

    def test_refused_field(self) -> None:
        """A request with a refused field gets no further answer when its head is complete."""
        for field in ("X: a\x0bb", "Content-Length: 5", "no field"):
            lines = ["GET /ws HTTP/1.1", HOST, field, *OPENING, "", ""]
            browser = self.browser()
            browser.send("\r\n".join(lines).encode())
            self.assertEqual(browser.take(), b"HTTP/1.1 400 Bad Request\r\n\r\n", field)

    def test_tab(self) -> None:
        """A tab in a field is allowed."""
        self.assertEqual(self.browser().ask("X: a\tb").status, 200)

    def test_bodies(self) -> None:
        """A request with a body is refused at its head."""
        head = f"POST / HTTP/1.1\r\n{HOST}\r\n".encode()
        self.check_refused(
            head + b"Content-Length: 1\r\n\r\na",
            head + b"content-length: 1099511627776\r\n\r\n",
            head + b"Content-Length: -1\r\n\r\n",
            head + b"Content-Length: 00\r\n\r\n",
            head + b"Content-Length: 0, 5\r\n\r\n",
            head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            head + b"Transfer-Encoding: identity\r\n\r\n",
            GET.replace(b"\r\n\r\n", b"\r\nContent-Length: 7\r\n\r\nGET / H"),
        )

    def test_empty_body(self) -> None:
        """A body of no bytes is none."""
        self.assertEqual(self.browser().ask("Content-Length: 0", method="POST").status, 405)

    def test_long_heads(self) -> None:
        """A head of more than 8 KiB is refused, in a line or in many, whole or in pieces."""
        start = f"GET / HTTP/1.1\r\n{HOST}\r\n".encode()
        self.check_refused(
            b"GET /" + b"a" * MAX_HEAD + b" HTTP/1.1\r\n\r\n",
            b"G" * (MAX_HEAD + 2),
            start + b"A: " + b"a" * MAX_HEAD,
            start + b"A: " + b"a" * MAX_HEAD + b"\r\n\r\n",
            start + b"A: aaaaaaaaaa\r\n" * 900,
            start + b"A: a\r\n" * 101 + b"\r\n",
        )

    def test_longest_head(self) -> None:
        """A head of somewhat less is answered."""
        self.assertEqual(self.browser().ask("Cookie: " + "a" * (MAX_HEAD - 200)).status, 200)

    def test_in_pieces(self) -> None:
        """A request may arrive byte by byte."""
        browser = self.browser()
        for byte in GET:
            browser.send(bytes([byte]))
        self.assertEqual(Reply(browser.take()).status, 200)

    def test_after_a_fault(self) -> None:
        """What follows a fault gets no answer."""
        browser = self.browser()
        browser.send(b"nonsense\r\n\r\n" + GET)
        browser.send(GET)
        self.clock.advance(0)
        self.assertEqual(browser.take().count(b"HTTP/1.1"), 1)
