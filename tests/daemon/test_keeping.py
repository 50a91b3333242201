"""Tests of the daemon's store: it opens before everything else, and closes last."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd._version import __version__
from chatd.chat.moderation import Ban
from chatd.config.banfile import BanFile
from chatd.daemon.keeping import EXPIRY_INTERVAL_S
from chatd.daemon.service import ChatService
from chatd.errors import ConfigurationError, StartupError, StoreError
from chatd.server.factory import ChatFactory
from chatd.storage.memory import MemoryStore
from chatd.wire.messages import MessageType
from tests.fakes.peers import Peer, hand_client, settle


class NotingStore(MemoryStore):
    """A store that notes its calls.

    Attributes:
        done: The calls, in order.
        failure: The exception of opening and expiring, or None.
        closing: Fires when closing is done; None for at once.
        expiring: Fires when expiring is done; None for at once.
    """

    def __init__(self, done: list[str]) -> None:
        super().__init__(unix_time=lambda: 0.0)
        self.done = done
        self.failure: Exception | None = None
        self.closing: Deferred[None] | None = None
        self.expiring: Deferred[None] | None = None

    def open(self) -> None:
        if self.failure is not None:
            raise self.failure
        self.done.append("open")

    async def close(self) -> None:
        self.done.append("close")
        if self.closing is not None:
            await self.closing

    async def expire(self) -> None:
        self.done.append("expire")
        if self.failure is not None:
            raise self.failure
        if self.expiring is not None:
            await self.expiring


class NotingFactory(ChatFactory):
    """A server that notes in its store when clients get the goodbye."""

    def shut_down(self, grace_s: float = 0.0) -> Deferred[None]:
        self.store.done.append("shut down")

        def note(_: object) -> None:
            self.store.done.append("all gone")

        return super().shut_down().addCallback(note)


class KeepingTests(SynchronousTestCase):
    """A daemon on a reactor in memory, whose store notes its calls."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.done: list[str] = []
        self.store = NotingStore(self.done)
        self.factory = NotingFactory(self.reactor, store=self.store)
        listen = self.reactor.listenTCP

        def listen_and_note(*arguments: object, **options: object):
            self.done.append("listen")
            port = listen(*arguments, **options)
            self.factory.doStart()  # like a real port
            port.stopListening = stop_listening
            port.connectionLost = lambda reason: stop_listening()
            return port

        def stop_listening() -> None:
            self.done.append("stop listening")
            self.factory.doStop()

        self.reactor.listenTCP = listen_and_note
        self.service = self.service_that()

    def service_that(self, gives_up_root: bool = False) -> ChatService:
        """Return a service that does, or does not, give up root's rights while it starts."""
        service = ChatService(self.reactor, self.factory, ["tcp:9999"])
        service.gives_up_root = gives_up_root
        return service

    def take(self) -> list[str]:
        """Return the new calls."""
        done = list(self.done)
        self.done.clear()
        return done

    def start(self) -> None:
        self.service.startService()
        self.assertEqual(self.take(), ["open", "expire", "listen"])


class OrderTests(KeepingTests):
    """The store opens first and closes last."""

    def test_start(self) -> None:
        """The store opens before any client can connect."""
        self.service.privilegedStartService()
        self.assertEqual(self.take(), [])
        self.service.startService()
        self.assertEqual(self.take(), ["open", "expire", "listen"])

    def test_start_with_less_rights(self) -> None:
        """A daemon that gives up root's rights listens before, and opens the store afterwards."""
        self.service = self.service_that(gives_up_root=True)
        self.service.privilegedStartService()
        self.assertEqual(self.take(), ["listen"])
        self.service.startService()
        self.assertEqual(self.take(), ["open", "expire"])

    def test_version(self) -> None:
        """The first line of the start has chatd's version."""
        with capturedLogs() as events:
            self.service.startService()
        self.assertEqual(formatEvent(events[0]), f"chatd {__version__} starts")

    def test_stop(self) -> None:
        """The store closes after every client has its goodbye and has left; then all stops."""
        self.start()
        self.store.closing = Deferred()
        client = hand_client(self.factory)
        stopping = self.service.stopService()
        self.assertEqual(self.take(), ["stop listening", "shut down"])
        (end,) = client.take()
        self.assertEqual(end.header.code, "shutting-down")
        self.assertEqual(self.take(), [])
        client.transport.lose()
        self.assertEqual(self.take(), ["all gone", "close"])
        self.assertNoResult(stopping)
        self.store.closing.callback(None)
        self.assertIsNone(self.successResultOf(stopping))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_last_words(self) -> None:
        """The daemon stores and answers messages from before the stop before it says goodbye."""
        self.start()
        client = hand_client(self.factory)
        client.say("last words")
        stopping = self.service.stopService()
        self.assertEqual(
            [told.type for told in client.take()], [MessageType.MESSAGE, MessageType.DISCONNECT]
        )
        client.transport.lose()
        self.successResultOf(stopping)

    def test_store_that_cannot_be_closed(self) -> None:
        """A store that fails to close does not delay the stop; the log has its words alone."""
        self.start()
        self.store.closing = Deferred()
        stopping = self.service.stopService()
        with capturedLogs() as events:
            self.store.closing.errback(StoreError("the disk is on fire"))
        self.successResultOf(stopping)
        (line,) = [formatEvent(event) for event in events]
        self.assertEqual(line, "the store was closed with a fault: the disk is on fire")

    def test_again(self) -> None:
        """A stopped service can start again, and keeps its messages."""
        self.start()
        self.successResultOf(self.service.stopService())
        self.take()
        self.start()
        self.assertIsNotNone(self.factory.buildProtocol(UNIXAddress(None)))
        self.successResultOf(self.service.stopService())


class OpeningTests(KeepingTests):
    """A store that cannot be opened ends the daemon."""

    def test_store(self) -> None:
        """The error has one line, and the ports are closed."""
        self.store.failure = ConfigurationError("/data is in use by another chatd")
        self.service = self.service_that(gives_up_root=True)
        self.service.privilegedStartService()
        error = self.assertRaises(StartupError, self.service.startService)
        self.assertEqual(str(error), "chatd: /data is in use by another chatd")
        self.assertIs(error.__cause__, self.store.failure)
        self.assertEqual(self.take(), ["listen", "stop listening"])
        self.assertFalse(self.service.listeners[0].running)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_again(self) -> None:
        """If the store can be opened at the next start, the service listens again."""
        self.store.failure = ConfigurationError("no")
        self.service = self.service_that(gives_up_root=True)
        self.service.privilegedStartService()
        self.assertRaises(StartupError, self.service.startService)
        self.take()
        self.store.failure = None
        self.start()
        self.successResultOf(self.service.stopService())

    def test_nothing_listens(self) -> None:
        """A daemon that keeps its rights does not listen before it can keep messages."""
        self.store.failure = ConfigurationError("no")
        self.service.privilegedStartService()
        self.assertRaises(StartupError, self.service.startService)
        self.assertEqual(self.take(), [])

    def test_child_service(self) -> None:
        """If a child service cannot start, nothing listens, and the store is closed."""

        class Failing(Service):
            def startService(self) -> None:
                raise StartupError("chatd: no")

        Failing().setServiceParent(self.service)
        self.assertRaises(StartupError, self.service.startService)
        self.assertEqual(self.take(), ["open", "expire", "close"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_port(self) -> None:
        """If a port cannot be bound, the store is closed, also if closing it fails."""
        self.store.closing = fail(StoreError("the disk is on fire"))

        def refuse(*_: object, **__: object) -> None:
            raise CannotListenError("", 9999, OSError("no"))

        self.reactor.listenTCP = refuse
        self.assertRaises(StartupError, self.service.startService)
        self.assertEqual(self.take(), ["open", "expire", "close"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_bans(self) -> None:
        """The same applies to the bans; the store stays closed then."""
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "bans.json"
            path.write_text("nonsense")
            service = ChatService(
                self.reactor, self.factory, ["unix:/run/chat.sock"], ban_file=BanFile(path)
            )
            error = self.assertRaises(StartupError, service.startService)
        self.assertIn(str(path), str(error))
        self.assertEqual(self.take(), [])

    def test_bans_of_the_factory(self) -> None:
        """Without a file, the daemon does not change the factory's bans."""
        self.factory.bans.replace([Ban(name="mallory")])
        self.start()
        self.assertEqual([ban.name for ban in self.factory.bans.in_force()], ["mallory"])
        self.successResultOf(self.service.stopService())


class ExpiryTests(KeepingTests):
    """Expired messages are deleted at intervals."""

    def setUp(self) -> None:
        super().setUp()
        self.start()
        self.addCleanup(lambda: self.successResultOf(self.service.stopService()))

    def let_pass(self, intervals: float) -> None:
        self.reactor.advance(intervals * EXPIRY_INTERVAL_S)

    def test_again_and_again(self) -> None:
        """Each interval deletes them."""
        self.let_pass(0.9)
        self.assertEqual(self.take(), [])
        self.let_pass(0.1)
        self.let_pass(1)
        self.assertEqual(self.take(), ["expire", "expire"])

    def test_slow_store(self) -> None:
        """The daemon does not ask a slow store again before its answer."""
        expiring: Deferred[Any] = Deferred()
        self.store.expiring = expiring
        for _ in range(3):
            self.let_pass(1)
        self.assertEqual(self.take(), ["expire"])
        self.store.expiring = None
        expiring.callback(None)
        self.let_pass(1)
        self.assertEqual(self.take(), ["expire"])

    def test_store_that_fails(self) -> None:
        """The log has a failure of the store, and the daemon asks the store again."""
        self.store.failure = StoreError("the disk is on fire")
        with capturedLogs() as events:
            self.let_pass(1)
        errors = [formatEvent(each) for each in events if each["log_level"] >= LogLevel.error]
        self.assertEqual(errors, ["the store failed: the disk is on fire"])
        self.store.failure = None
        self.let_pass(1)
        self.assertEqual(self.take(), ["expire", "expire"])

    def test_store_that_fails_otherwise(self) -> None:
        """The daemon logs any other exception of a store with its traceback."""
        self.store.failure = KeyError("not foreseen")
        self.let_pass(1)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.store.failure = None
        self.let_pass(1)
        self.assertEqual(self.take(), ["expire", "expire"])

    def test_stopped_meanwhile(self) -> None:
        """A service that stops during the wait does not wait for the store."""
        self.store.expiring = Deferred()
        self.let_pass(1)
        self.successResultOf(self.service.stopService())
        self.store.expiring.callback(None)
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class BusyTests(KeepingTests):
    """Connections at the end of the daemon."""

    def test_not_welcomed(self) -> None:
        """A client that has only a greeting gets the goodbye, too."""
        self.start()
        peer = Peer(self.factory.buildProtocol(None), self.factory.codec)
        peer.take()
        stopping = self.service.stopService()
        settle(self.factory)
        self.assertEqual([told.header.code for told in peer.take()], ["shutting-down"])
        peer.transport.lose()
        self.successResultOf(stopping)

    def test_does_not_read(self) -> None:
        """The daemon cuts off a client that does not read after a while, and stops in time."""
        self.start()
        client = hand_client(self.factory)
        client.transport.accept_no_more()
        stopping = self.service.stopService()
        self.assertNoResult(stopping)
        for _ in range(100):
            self.reactor.advance(0.1)
        self.assertEqual(client.transport.ends[-1], "abort")
        self.successResultOf(stopping)
        self.assertEqual(self.take()[-1], "close")
