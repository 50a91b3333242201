"""Tests that an address can write only so many lines to the log."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import RequestError
from chatd.server.factory import ChatFactory
from chatd.server.limits import Limits
from chatd.server.logpace import LINES_AT_ONCE, LINES_PER_SECOND, SUMMARY_S, LogPace
from chatd.server.sessionlog import SessionLog
from tests.fakes.peers import Peer, hand_client, settle

ALICE, BOB = "192.0.2.1", "192.0.2.2"


class LogPaceTests(SynchronousTestCase):
    """A bucket of lines for each address, and one line about the lines that were left out."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.pace = LogPace(self.clock, "visits", LINES_AT_ONCE)

    def logged(self, address: str, asked: int) -> int:
        """Return how many of some lines about an address are logged now."""
        return sum(self.pace.may_log(address) for _ in range(asked))

    def summaries(self, seconds: float) -> list[str]:
        """Let time pass, and return the lines about lines that were left out."""
        with capturedLogs() as events:
            self.clock.advance(seconds)
        return [formatEvent(event) for event in events]

    def test_bound(self) -> None:
        """Each address has many lines at once, and some more in each second."""
        self.assertEqual(self.logged(ALICE, LINES_AT_ONCE + 5), LINES_AT_ONCE)
        self.assertEqual(self.logged(BOB, 5), 5)
        self.clock.advance(1.01)
        self.assertEqual(self.logged(ALICE, 100), LINES_PER_SECOND)

    def test_summary(self) -> None:
        """After a minute, each address that had too many has one line with their number."""
        self.logged(ALICE, LINES_AT_ONCE + 5)
        self.logged(BOB, LINES_AT_ONCE + 1)
        self.assertEqual(self.summaries(SUMMARY_S - 1), [])
        self.assertEqual(
            self.summaries(1),
            [
                "lines about visits from 192.0.2.1 were left out: 5",
                "lines about visits from 192.0.2.2 were left out: 1",
            ],
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_prefix(self) -> None:
        """The addresses of an IPv6 /64 share the lines; the summary has the first address."""
        for address in ("2001:db8::1", "2001:db8::2"):
            self.logged(address, LINES_AT_ONCE)
        self.assertEqual(
            self.summaries(SUMMARY_S),
            [f"lines about visits from 2001:db8::2 were left out: {LINES_AT_ONCE}"],
        )


class FloodTests(SynchronousTestCase):
    """A server on which a crowd knocks."""

    def test_crowd(self) -> None:
        """Its refusals are logged within the bound; the end of the server logs their number."""
        clock = Clock()
        factory = ChatFactory(clock)
        with capturedLogs() as events:
            for _ in range(LINES_AT_ONCE + 7):
                peer = Peer(factory.buildProtocol(None), factory.codec)
                peer.protocol.dataReceived(b"GET / HTTP/1.1\r\n\r\n")
                peer.transport.lose()
            settle(factory)
            self.successResultOf(factory.shut_down())
        lines = list(map(formatEvent, events))
        self.assertEqual(sum(": refused: " in line for line in lines), LINES_AT_ONCE)
        self.assertRegex(
            lines[-1], "^lines about connections without a session from .* were left out: 7$"
        )
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_sessions(self) -> None:
        """All sessions that an address may have can begin and end; more are not logged."""
        clock = Clock()
        factory = ChatFactory(clock, limits=Limits(max_sessions_per_address=2))
        with capturedLogs() as events:
            for _ in range(3):
                hand_client(factory).transport.lose()
            self.successResultOf(factory.shut_down())
        lines = list(map(formatEvent, events))
        self.assertEqual(sum(": established: " in line for line in lines), 2)
        self.assertEqual(sum(": ended: " in line for line in lines), 2)
        self.assertRegex(lines[-1], "^lines about sessions from .* were left out: 2$")

    def test_refused_passwords(self) -> None:
        """Refused changes of a password are logged within the bound on lines about sessions."""
        log = SessionLog(Clock(), Limits(max_sessions_per_address=2))
        error = RequestError("auth-failed", "the password is wrong")
        with capturedLogs() as events:
            for _ in range(9):
                log.password_refused("session 1 alice", error, ALICE, "alice")
            log.finish()
        lines = list(map(formatEvent, events))
        self.assertEqual(sum(": password refused: " in line for line in lines), 4)
        self.assertEqual(lines[4:], [f"lines about sessions from {ALICE} were left out: 5"])
