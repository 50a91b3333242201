"""Tests of the log lines about requests whose answers fail."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.logger import LogLevel, capturedLogs, formatEvent

from chatd.server.logpace import SUMMARY_S
from chatd.web.faultlog import FAULTS_AT_ONCE
from tests.web.cases import WebCase

OWN_WORDS = "\x1b]0;owned\x07\nforged"


class FaultTests(WebCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(self.front, "_serves", self.fail_to_serve)

    def fail_to_serve(self, *arguments: Any) -> bool:
        raise ValueError(OWN_WORDS)

    def lines(self, count: int, **options: Any) -> list[str]:
        """Make requests that fail, and return the lines about them."""
        with capturedLogs() as logged:
            for _ in range(count):
                self.assertEqual(self.browser(**options).ask().status, 500)
            for event in logged:
                self.assertNotIn("log_failure", event)
        return [formatEvent(each) for each in logged if each["log_level"] >= LogLevel.warn]

    def test_own_words(self) -> None:
        """The line has the class and the place of the exception, and nothing of its text."""
        (line,) = self.lines(1)
        self.assertRegex(
            line, r"\Aa request failed: address=192\.0\.2\.1 error=ValueError at=\S+\.py:\d+\Z"
        )

    def test_bound(self) -> None:
        """The lines of an address are bounded; one more line has the number of the others."""
        self.assertEqual(len(self.lines(FAULTS_AT_ONCE + 50)), FAULTS_AT_ONCE)
        with capturedLogs() as logged:
            self.clock.advance(SUMMARY_S)
        (line,) = map(formatEvent, logged)
        self.assertEqual(line, "lines about failed requests from 192.0.2.1 were left out: 50")

    def test_stop(self) -> None:
        """When the front stops, the number of the lines left out is logged at once."""
        self.front.doStart()
        self.lines(FAULTS_AT_ONCE + 2)
        with capturedLogs() as logged:
            self.front.doStop()
        self.assertIn(
            "lines about failed requests from 192.0.2.1 were left out: 2", map(formatEvent, logged)
        )

    def test_unix(self) -> None:
        """On a UNIX socket, the address is the one of all local peers."""
        (line,) = self.lines(1, peer=UNIXAddress(b"/web.sock"))
        self.assertIn("address=local ", line)
