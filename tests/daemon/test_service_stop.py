"""Tests of a daemon that stops while its store hangs."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatd.daemon.service import ChatService
from chatd.server.factory import ChatFactory
from chatd.storage.memory import MemoryStore


class HangingStore(MemoryStore):
    """Is never closed."""

    async def close(self) -> None:
        await Deferred()


class StopTests(SynchronousTestCase):
    """The store has its time to close, too, and no more."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        factory = ChatFactory(self.reactor, store=HangingStore())
        self.service = ChatService(self.reactor, factory, "tcp:9999", grace_s=4)
        self.service.startService()
        self.stopped = self.service.stopService()
        self.reactor.advance(0)

    def test_waits(self) -> None:
        """It is waited for as long as the grace is, and then there is a line in the log."""
        with capturedLogs() as events:
            self.reactor.advance(3.9)
            self.assertNoResult(self.stopped)
            self.reactor.advance(0.1)
        self.successResultOf(self.stopped)
        self.assertEqual([event["log_level"] for event in events], [LogLevel.error])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_hurry(self) -> None:
        """Told again, nothing is waited for."""
        self.service.hurry()
        self.successResultOf(self.stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
