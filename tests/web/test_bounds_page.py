"""The page on bounds has each bound of the front and of its WebSockets, with the code's numbers."""

from __future__ import annotations

import re
from importlib import import_module

from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import ProtocolError
from websockets.frames import Frame, Opcode

from chatd.server.logpace import LINES_PER_SECOND
from chatd.transport.closing import CLOSE_TIMEOUT_S
from tests.docs.pages import page, section

CHANNEL, WEBSOCKET, FAULTS = "chatd.web.channel", "chatd.web.websocket", "chatd.web.faultlog"
TRANSPORT = "chatd.transport.websocket"
NUMBERS = {
    (CHANNEL, "MAX_HEAD"): "| head of an HTTP request | {kib} KiB | status 400 |",
    (CHANNEL, "MAX_FIELDS"): "| fields in it | {number} | status 400 |",
    (CHANNEL, "HEAD_TIMEOUT_S"): (
        "| time from a connection, or from an answer, to the next complete request | {number:g} "
        "seconds |"
    ),
    (CHANNEL, "READ_TIMEOUT_S"): (
        "| time from then until the last answer is read | {number:g} seconds |"
    ),
    (CHANNEL, "HEAD_BYTES"): "| bytes of requests that are read at once, without TLS | {kib} KiB |",
    (WEBSOCKET, "FIRST_BYTES"): (
        "| bytes of a WebSocket that are read at once before the session, without TLS | {kib} KiB |"
    ),
    (WEBSOCKET, "USUAL_BYTES"): "| the same in the session | {kib} KiB |",
    (WEBSOCKET, "FRAME_ALLOWANCE"): (
        "| frame of a WebSocket | the longest message, sealed, and {kib} KiB |"
    ),
    (WEBSOCKET, "MAX_EARLY_BYTES"): "| incomplete frame before the session | {kib} KiB |",
    (WEBSOCKET, "MAX_EARLY_FRAMES"): "| short and empty frames before the session | {number:,} |",
    (WEBSOCKET, "SHORT_FRAMES"): (
        "| read of a WebSocket that need not wait for others' turn | {kib} KiB |"
    ),
    (FAULTS, "FAULTS_AT_ONCE"): (
        "| lines of the log about requests of one address that fail | {number}, and "
        f"{LINES_PER_SECOND} more each second |"
    ),
    (TRANSPORT, "SHORT"): "a *short frame* has less than {kib} KiB",
    (TRANSPORT, "SMALL"): "an *empty frame* less than {number} bytes",
}
"""The numbers of the modules, each with its place on the page."""
CODES = {(TRANSPORT, "NORMAL"), (TRANSPORT, "UNSUPPORTED")}
"""Numbers that are no bounds."""
MAX_CONTROL = 125
"""The longest control frame; RFC 6455, section 5.5."""
OTHERS = {
    "connections that are no WebSocket": "tests.web.test_site.ConnectionTests.test_bound",
    "body of a request": "tests.web.test_channel.FaultTests.test_bodies",
    "requests that arrive together": "tests.web.test_channel.PipelineTests.test_one_at_a_time",
    "control frame": "tests.web.test_websocket.FaultTests.test_control_frames",
    "short and empty frames in the session, such as fragments": (
        "tests.web.test_websocket_bounds.BoundTests.test_pieces"
    ),
    "empty frames after the session": (
        "tests.web.test_websocket_bounds.BoundTests.test_frames_after_the_end"
    ),
    "pings that arrive together": "tests.web.test_websocket.PingTests.test_last_of_many",
    "time from the daemon's Close to the client's": (
        "tests.web.test_websocket.EndTests.test_peer_does_not_answer"
    ),
}
"""The other bounds, each with its test."""


class BoundsPageTests(SynchronousTestCase):
    """The part on browsers of `docs/reference/bounds.md`."""

    def setUp(self) -> None:
        text = section(page("docs/reference/bounds.md"), "Browsers")
        self.text = " ".join(text.split())
        self.rows = re.findall(r"^(\| (.*?) \|.*)$", text, re.MULTILINE)[1:]

    def test_numbers(self) -> None:
        """Each number of the modules is on the page."""
        for (module, name), place in NUMBERS.items():
            number = getattr(import_module(module), name)
            self.assertIn(place.format(number=number, kib=number // 1024), self.text)

    def test_all(self) -> None:
        """The modules have no other numbers."""
        found = {
            (module, name)
            for module in (CHANNEL, WEBSOCKET, FAULTS, TRANSPORT)
            for name in import_module(module).__all__
            if isinstance(getattr(import_module(module), name), (int, float))
        }
        self.assertEqual(found, {*NUMBERS, *CODES})

    def test_rows(self) -> None:
        """Each row has a number of the modules, or a test of its own."""
        for row, what in self.rows:
            has_number = any(place.startswith(f"| {what} |") for place in NUMBERS.values())
            self.assertNotEqual(has_number, what in OTHERS, row)
        self.assertLessEqual(set(OTHERS), {what for _, what in self.rows})
        for test in OTHERS.values():
            module, case, method = test.rsplit(".", 2)
            self.assertTrue(callable(getattr(getattr(import_module(module), case), method)), test)

    def test_others(self) -> None:
        """The numbers of other modules and of RFC 6455 are on the page, too."""
        early = import_module(WEBSOCKET).MAX_EARLY_FRAMES
        for place in (
            f"| empty frames after the session | {early:,} |",
            f"| time from the daemon's Close to the client's | {CLOSE_TIMEOUT_S:g} seconds |",
            f"| control frame | {MAX_CONTROL} bytes, in one fragment | close code 1002 |",
        ):
            self.assertIn(place, self.text)
        Frame(Opcode.PING, bytes(MAX_CONTROL)).check()
        self.assertRaises(ProtocolError, Frame(Opcode.PING, bytes(MAX_CONTROL + 1)).check)
