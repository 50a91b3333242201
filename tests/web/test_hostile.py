"""Hostile bytes on the front: whatever arrives, nothing fails, and connections end in time."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.logger import LogLevel, capturedLogs
from websockets.frames import Frame, Opcode

from chatd.transport.closing import CLOSE_TIMEOUT_S
from chatd.web.channel import HEAD_TIMEOUT_S, READ_TIMEOUT_S
from tests.web.cases import HOST, OPENING, Browser, WebCase

LINES = [
    *("GET / HTTP/1.1", "HEAD /app/main.js HTTP/1.1", "GET /ws HTTP/1.1", "POST / HTTP/1.1"),
    *(HOST, "Host: ", *OPENING, "Origin: null", "Content-Length: 5", "Expect: 100-continue"),
    *(
        "Transfer-Encoding: chunked",
        "X-Forwarded-For: ,,1.1.1.1",
        "If-None-Match: *",
        "",
        " folded",
    ),
    *("Connection: close, Upgrade", "Cookie: a=b; c", ":", "\0", "\x16"),
]
PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(LINES).map(lambda line: f"{line}\r\n".encode("latin-1")),
)


def frame(opcode: Opcode, data: bytes, *, fin: bool) -> bytes:
    """Return a frame; control frames are never in fragments, which `Frame` itself refuses."""
    is_control = opcode in (Opcode.PING, Opcode.PONG, Opcode.CLOSE)
    return Frame(opcode, data, fin or is_control).serialize(mask=True)


HEAD_TEXT = st.one_of(
    st.sampled_from(["x", "a, b", "\0", "\x0b", "\x1b]0;owned\x07", "\x7f", "\x85", "\xff"]),
    st.text(st.characters(max_codepoint=255), max_size=20),
)
FIELDS = st.one_of(
    st.sampled_from(OPENING),
    st.builds("{}: {}".format, st.sampled_from(["X", "Cookie", "Origin", "Host"]), HEAD_TEXT),
    st.builds("{}{}".format, st.sampled_from(OPENING), HEAD_TEXT),
)
OPCODES = [Opcode.BINARY, Opcode.CONT, Opcode.PING, Opcode.PONG, Opcode.CLOSE]
FRAMES = st.one_of(
    st.binary(max_size=40),
    st.builds(frame, st.sampled_from(OPCODES), st.binary(max_size=120), fin=st.booleans()),
)


class HostileTests(WebCase):
    def check_ends(self, browser: Browser, pieces: list[bytes]) -> None:
        """Send the pieces, let time pass, and check that nothing failed and nothing is left."""
        with capturedLogs() as logged:
            for piece in pieces:
                if not browser.transport.is_lost:
                    browser.send(piece)
            for step_s in (0, 0, CLOSE_TIMEOUT_S, HEAD_TIMEOUT_S, CLOSE_TIMEOUT_S, READ_TIMEOUT_S):
                self.clock.advance(step_s)
        failed = [each for each in logged if each["log_level"] >= LogLevel.error]
        self.assertEqual(failed, [])
        self.assertTrue(browser.transport.ends, "nothing ended the connection")
        browser.transport.lose()
        self.assertEqual((len(self.front._own), len(self.chat.engine.connections)), (0, 0))

    @given(st.lists(PIECES, max_size=12))
    @settings(deadline=None)
    def test_http(self, pieces: list[bytes]) -> None:
        """Any bytes in place of requests."""
        self.check_ends(self.browser(), pieces)

    @given(st.sampled_from(["/ws", "/"]), HEAD_TEXT, st.lists(FIELDS, max_size=3))
    @example("/ws", "x", ["Upgrade: websocket\x85"])
    @settings(deadline=None)
    def test_heads(self, path: str, query: str, fields: list[str]) -> None:
        """Any bytes in the target and in the fields of a request for a WebSocket."""
        lines = [f"GET {path}?{query} HTTP/1.1", HOST, *fields, *OPENING, "", ""]
        self.check_ends(self.browser(), ["\r\n".join(lines).encode("latin-1")])

    @given(st.lists(FRAMES, max_size=12))
    @settings(deadline=None)
    def test_websocket(self, pieces: list[bytes]) -> None:
        """Any bytes and frames on an open WebSocket."""
        self.check_ends(self.peer(), pieces)
