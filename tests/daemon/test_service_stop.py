"""Tests of a daemon that stops while its store hangs."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatd.daemon.service import ChatService
from chatd.server.factory import ChatFactory
from chatd.storage.memory import MemoryStore
from chatd.wire.codec import Codec
from tests.fakes.peers import Peer, ack


class HangingStore(MemoryStore):
    """Never closes."""

    async def close(self) -> None:
        await Deferred()


class StopTests(SynchronousTestCase):
    """The store's time to close is limited."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        factory = ChatFactory(self.reactor, store=HangingStore())
        self.service = ChatService(self.reactor, factory, "tcp:9999", grace_s=4)
        self.service.startService()
        self.stopped = self.service.stopService()
        self.reactor.advance(0)

    def test_waits(self) -> None:
        """The daemon waits as long as the grace, and then logs a line."""
        with capturedLogs() as events:
            self.reactor.advance(3.9)
            self.assertNoResult(self.stopped)
            self.reactor.advance(0.1)
        self.successResultOf(self.stopped)
        self.assertEqual([event["log_level"] for event in events], [LogLevel.error])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_hurry(self) -> None:
        """After a second signal, there is no wait."""
        self.service.hurry()
        self.successResultOf(self.stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class SlowStore(MemoryStore):
    """Takes a turn of the reactor to close, as a store with a thread does."""

    def __init__(self, reactor: MemoryReactorClock) -> None:
        super().__init__()
        self._reactor = reactor

    async def close(self) -> None:
        closed: Deferred[None] = Deferred()
        self._reactor.callLater(0.1, closed.callback, None)
        await closed


class HurryTests(SynchronousTestCase):
    """A daemon that gets two signals to stop, while a client stays."""

    def test_store_has_its_second(self) -> None:
        """The daemon cuts off the client, and the store still has the time to close."""
        reactor = MemoryReactorClock()
        factory = ChatFactory(reactor, store=SlowStore(reactor))
        service = ChatService(reactor, factory, "tcp:9999", grace_s=60)
        service.startService()
        peer = Peer(factory.buildProtocol(None), Codec())
        peer.send(ack(peer, "alice"))
        stopped = service.stopService()
        reactor.advance(1)
        with capturedLogs() as events:
            service.hurry()
            self.assertEqual(peer.transport.ends[-1], "abort")
            self.assertNoResult(stopped)
            reactor.advance(0.1)
        self.successResultOf(stopped)
        self.assertEqual([each for each in events if each["log_level"] is LogLevel.error], [])
