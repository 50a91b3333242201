"""Tests of the service that keeps a client connected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IProtocol, IProtocolFactory
from twisted.logger import LogLevel, capturedLogs, formatEvent

from chatd.client.client import ChatClient
from chatd.client.factory import ChatClientFactory
from chatd.client.service import ChatClientService
from chatd.client.servicestates import REMIND_S
from chatd.errors import ConfigurationError, SessionEnded, SessionRefused
from tests.client.cases import ENDPOINT, NetworkCase, RaisingEndpoint
from tests.fakes.handserver import HandServer
from tests.fakes.peers import hand_client

RETRY_S = 2.0


class StubbornEndpoint(HandServer):
    """A server by hand that connects just when the attempt is cancelled."""

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        connect = super().connect

        def cancelled(connecting: Deferred[IProtocol]) -> None:
            connect(factory).chainDeferred(connecting)

        return Deferred(cancelled)


class ServiceTests(NetworkCase):
    """`ChatClientService` keeps a client connected."""

    def setUp(self) -> None:
        super().setUp()
        self.attempts: list[int] = []
        self.service = ChatClientService(
            self.reactor, ENDPOINT, ChatClientFactory(self.reactor, name="alice"), self.retry_s
        )

    def retry_s(self, attempt: int) -> float:
        """Note the attempt, and return a constant delay."""
        self.attempts.append(attempt)
        return RETRY_S

    def start(self) -> ChatClient:
        """Start the service, and let it connect."""
        self.service.startService()
        self.network.accept()
        return self.successResultOf(self.service.whenConnected())

    def stop(self) -> None:
        """Stop the service, and check that no call or connection remains."""
        stopping = self.service.stopService()
        self.network.pump()
        self.successResultOf(stopping)
        self.assertEqual((self.network.attempts, self.names()), (0, []))
        self.network.advance(10 * RETRY_S)
        self.assertEqual((self.network.attempts, self.reactor.getDelayedCalls()), (0, []))

    def test_connected(self) -> None:
        """Waits for the client end when its session is active, early and late waits."""
        waiting = self.service.whenConnected()
        client = self.start()
        self.assertTrue(client.is_active)
        self.assertIs(self.successResultOf(waiting), client)
        self.assertIs(self.service.client, client)
        self.assertEqual(self.names(), ["alice"])
        self.stop()

    def test_says_goodbye(self) -> None:
        """It leaves with a goodbye."""
        client = self.start()
        ended = client.when_ended()
        self.stop()
        self.assertTrue(self.successResultOf(ended).is_clean)

    def test_connects_again(self) -> None:
        """A new client replaces a lost client, after the policy's delay."""
        first = self.start()
        first.transport.loseConnection()
        self.network.pump()
        self.assertEqual((self.names(), self.network.attempts), ([], 0))
        self.network.advance(RETRY_S - 0.1)
        self.assertEqual(self.network.attempts, 0)
        waiting = self.service.whenConnected()
        self.network.advance(0.1)
        self.network.accept()
        second = self.successResultOf(waiting)
        self.assertIsNot(second, first)
        self.assertTrue(second.is_active)
        self.assertEqual(self.names(), ["alice"])
        self.stop()

    def test_ended_by_the_server(self) -> None:
        """So it is when the server ended the session."""
        self.start()
        (session,) = self.factory.sessions.values()
        session.end("enough", "that was enough", retry=True)
        self.network.pump()
        self.network.advance(RETRY_S)
        self.network.accept()
        self.assertTrue(self.successResultOf(self.service.whenConnected()).is_active)
        self.stop()

    def test_not_wanted_back(self) -> None:
        """The service does not reconnect if the server does not want the client back."""
        self.start()
        (session,) = self.factory.sessions.values()
        session.end("banned", "go away")
        self.network.pump()
        lost = self.failureResultOf(self.service.whenConnected(), SessionEnded).value
        self.assertEqual(lost.code, "banned")
        self.network.advance(10 * RETRY_S)
        self.assertEqual((self.network.attempts, self.attempts), (0, []))
        self.stop()

    def test_given_up(self) -> None:
        """`when_given_up` fires with the reason, and the log has that as an error."""
        self.start()
        waiting = self.service.when_given_up()
        self.assertNoResult(waiting)
        (session,) = self.factory.sessions.values()
        with capturedLogs() as events:
            session.end("banned", "go away")
            self.network.pump()
        for told in (waiting, self.service.when_given_up()):
            self.assertEqual(str(self.successResultOf(told)), "banned: go away")
        for refused in (self.service.send("x"), self.service.when_ready_to_send()):
            self.assertEqual(str(self.failureResultOf(refused).value), "banned: go away")
        errors = [formatEvent(each) for each in events if each["log_level"] is LogLevel.error]
        self.assertEqual(errors, ["will not reconnect: banned: go away"])
        self.stop()

    def test_given_up_and_started_again(self) -> None:
        """After a new start the service has not given up; a stop is no giving up."""
        self.start()
        (session,) = self.factory.sessions.values()
        session.end("banned", "go away")
        self.network.pump()
        self.stop()
        self.start()
        waiting = self.service.when_given_up()
        self.stop()
        self.assertNoResult(waiting)

    def test_logged(self) -> None:
        """The log says that the session ended, when the service tries again, and its success."""
        with capturedLogs() as events:
            self.start()
            (session,) = self.factory.sessions.values()
            session.end("restart", "come back", retry=True)
            self.network.pump()
            self.network.advance(RETRY_S)
            self.network.accept()
        lines = [formatEvent(each) for each in events if "service" in each["log_namespace"]]
        self.assertEqual(
            lines,
            [
                "connected as alice",
                "the session ended: restart: come back",
                "reconnecting in 2.0 s",
                "connected as alice",
            ],
        )
        self.stop()

    def test_logged_failure(self) -> None:
        """The log names the endpoint of an attempt that fails, and warns of the first in a row."""
        with capturedLogs() as events:
            self.service.startService()
            for _ in range(2):
                self.network.refuse()
                self.network.advance(RETRY_S)
            self.network.accept()
            (session,) = self.factory.sessions.values()
            session.end("restart", "come back", retry=True)
            self.network.pump()
            for _ in range(2):
                self.network.advance(RETRY_S)
                self.network.refuse()
        failed = [each for each in events if ENDPOINT in formatEvent(each)]
        levels = [each["log_level"] for each in failed]
        self.assertEqual(levels, [LogLevel.warn, LogLevel.info] * 2)
        ended = [each for each in events if "the session ended" in formatEvent(each)]
        self.assertEqual([each["log_level"] for each in ended], [LogLevel.warn])
        self.stop()

    def test_a_steady_session(self) -> None:
        """The backoff continues after a short session, and not after a long session."""
        for lasts_s in (0.0, 0.0, 20.0, 0.0):
            if not self.service.running:
                self.start()
            self.network.advance(lasts_s)
            (session,) = self.factory.sessions.values()
            session.end("restart", "come back", retry=True)
            self.network.pump()
            self.network.advance(RETRY_S)
            self.network.accept()
        self.assertEqual(self.attempts, [1, 2, 1, 2])
        self.stop()

    def test_damage(self) -> None:
        """After damage on the way it tries once more; the same again ends it."""
        self.start()
        for code, lasts_s in (("bad-crc", 0), ("bad-record", 20), ("bad-record", 0)):
            self.assertFalse(self.service.when_given_up().called)
            (session,) = self.factory.sessions.values()
            session.end(code, "damaged")
            self.network.pump()
            self.network.advance(RETRY_S)
            self.network.accept()
            self.network.advance(lasts_s)
        self.assertFalse(self.service.when_given_up().called)
        (session,) = self.factory.sessions.values()
        session.end("bad-record", "damaged")
        self.network.pump()
        end = self.successResultOf(self.service.when_given_up())
        self.assertEqual(end.code, "bad-record")
        self.stop()

    def test_nobody_listens(self) -> None:
        """If no server listens, it retries, and counts the attempts."""
        self.service.startService()
        for _ in range(3):
            self.network.refuse()
            self.network.advance(RETRY_S)
        self.assertEqual(self.attempts, [1, 2, 3])
        self.network.accept()
        self.assertTrue(self.successResultOf(self.service.whenConnected()).is_active)
        self.stop()

    def test_refused(self) -> None:
        """If the server refuses the session, it retries until the server accepts."""
        other = hand_client(self.factory, "alice")
        self.service.startService()
        waiting = self.service.whenConnected()
        for _ in range(2):
            self.network.accept()
            self.assertNoResult(waiting)
            self.network.advance(RETRY_S)
        self.assertEqual(self.attempts, [1, 2])
        other.transport.lose()
        self.network.accept()
        self.assertTrue(self.successResultOf(waiting).is_active)
        self.stop()

    def test_who_waits_for_one_attempt(self) -> None:
        """A wait for one attempt fails with its error."""
        other = hand_client(self.factory, "alice")
        self.service.startService()
        waiting = self.service.whenConnected(failAfterFailures=1)
        self.network.accept()
        error = self.failureResultOf(waiting, SessionRefused).value
        self.assertEqual(error.code, "name-taken")
        other.transport.lose()
        self.stop()

    def test_lost_before_the_welcome(self) -> None:
        """A connection lost before the welcome is a failed attempt."""
        self.service.startService()
        waiting = self.service.whenConnected(failAfterFailures=1)
        self.network.accept_in_silence()
        self.service.client.transport.loseConnection()
        self.network.pump()
        error = self.failureResultOf(waiting, SessionEnded).value
        self.assertEqual(error.code, "connection-lost")
        self.network.advance(RETRY_S)
        self.network.accept()
        self.assertTrue(self.successResultOf(self.service.whenConnected()).is_active)
        self.stop()

    def test_stopped_as_soon_as_connected(self) -> None:
        """A callback of the wait may stop the service."""
        stopping = self.service.whenConnected().addCallback(lambda _: self.service.stopService())
        self.service.startService()
        self.network.accept()
        self.successResultOf(stopping)
        self.assertEqual(self.names(), [])

    def test_stopped_while_connecting(self) -> None:
        """It can be stopped while it connects; the waits fail."""
        self.service.startService()
        waiting = self.service.whenConnected()
        stopping = self.service.stopService()
        self.successResultOf(stopping)
        self.failureResultOf(waiting, CancelledError)

    def test_stopped_while_waiting_to_try_again(self) -> None:
        """It can be stopped while it waits to retry."""
        self.service.startService()
        self.network.refuse()
        self.stop()

    def test_stopped_before_it_was_connected(self) -> None:
        """It can be stopped while it waits for the welcome."""
        self.service.startService()
        self.network.accept_in_silence()
        self.stop()

    def test_connected_after_it_was_stopped(self) -> None:
        """The client closes a connection that comes despite a cancelled attempt."""
        endpoint = StubbornEndpoint()
        clients = ChatClientFactory(self.reactor, name="alice")
        service = ChatClientService(self.reactor, endpoint, clients, self.retry_s)
        service.startService()
        waiting = service.whenConnected()
        stopping = service.stopService()
        self.failureResultOf(waiting, CancelledError)
        self.assertNoResult(stopping)
        self.reactor.advance(0)
        (peer,) = endpoint.peers
        peer.transport.lose()
        self.successResultOf(stopping)
        self.assertEqual((self.attempts, self.reactor.getDelayedCalls()), ([], []))

    def test_never_started(self) -> None:
        """If a caller waits and the service is not started, the log says so once."""
        waits: list[Callable[[ChatClientService], Deferred[Any]]] = [
            lambda service: service.send("hello"),
            ChatClientService.whenConnected,
            lambda service: Deferred.fromCoroutine(service.__anext__()),
        ]
        for wait in waits:
            self.setUp()
            with capturedLogs() as events:
                waiting = [wait(self.service), wait(self.service)]
                self.reactor.advance(REMIND_S - 0.1)
                self.assertEqual(events, [])
                self.reactor.advance(0.1)
                waiting.append(wait(self.service))
                self.reactor.advance(REMIND_S)
            self.assertEqual(
                [formatEvent(each) for each in events if each["log_level"] is LogLevel.warn],
                [
                    "a caller waits for a session, and the service was never started: call "
                    "startService()"
                ],
            )
            for each in waiting:
                each.addErrback(lambda _: None)
            self.stop()

    def test_started_in_time(self) -> None:
        """A start after the first message is no mistake."""
        sent = self.service.send("hello")
        with capturedLogs() as events:
            self.start()
            self.network.advance(REMIND_S)
        self.successResultOf(sent)
        self.assertEqual([each for each in events if each["log_level"] is LogLevel.warn], [])
        self.stop()

    def test_too_late(self) -> None:
        """After the stop, the service sends nothing, and no caller waits for a client."""
        self.start()
        self.stop()
        self.failureResultOf(self.service.send("too late"), SessionEnded)
        self.failureResultOf(self.service.when_ready_to_send(), SessionEnded)
        self.failureResultOf(self.service.whenConnected(), CancelledError)

    def test_stopped_by_who_waits(self) -> None:
        """An errback of a failed attempt may stop the service at once."""
        self.service.startService()
        waiting = self.service.whenConnected(failAfterFailures=1)
        stopping = waiting.addErrback(lambda _: self.service.stopService())
        self.network.refuse()
        self.successResultOf(stopping)
        self.assertEqual((self.attempts, self.reactor.getDelayedCalls()), ([1], []))

    def test_started_again(self) -> None:
        """It can be started again after a stop."""
        first = self.start()
        self.stop()
        self.assertIsNot(self.start(), first)
        self.stop()

    def test_started_again_at_once(self) -> None:
        """A service that starts again before the old connection closes makes one new connection."""
        self.start()
        self.service.stopService()
        self.service.startService()
        self.network.pump()
        self.network.accept()
        self.network.advance(10 * RETRY_S)
        self.assertEqual((self.network.attempts, self.names()), (0, ["alice"]))
        self.stop()

    def test_started_twice(self) -> None:
        """A second start of a running service changes nothing."""
        client = self.start()
        self.service.startService()
        self.assertEqual(self.network.attempts, 0)
        self.assertIs(self.successResultOf(self.service.whenConnected()), client)
        self.stop()

    def test_bad_endpoint(self) -> None:
        """An invalid endpoint string is a configuration error."""
        self.assertRaises(
            ConfigurationError,
            ChatClientService,
            self.reactor,
            "localhost:9999",
            ChatClientFactory(self.reactor),
        )

    def test_endpoint_that_fails(self) -> None:
        """An endpoint that can never succeed is tried once; all waits fail."""
        clients = ChatClientFactory(self.reactor, name="alice")
        service = ChatClientService(self.reactor, RaisingEndpoint(), clients, self.retry_s)
        early, unsent = service.whenConnected(), service.send("hello")
        service.startService()
        for waiting in (early, service.whenConnected(), service.send("too late")):
            error = self.failureResultOf(waiting, ConfigurationError).value
            self.assertIn("NotImplementedError: not here", str(error))
        lost = self.failureResultOf(unsent, SessionEnded).value
        self.assertEqual((lost.code, lost.retry), ("connection-lost", False))
        self.assertEqual((self.attempts, self.reactor.getDelayedCalls()), ([], []))
        self.successResultOf(service.stopService())

    def test_endpoint_object(self) -> None:
        """It takes an endpoint instead of a string, and Twisted's policy by default."""
        endpoint = TCP4ClientEndpoint(self.reactor, "localhost", 9999)
        self.service = ChatClientService(
            self.reactor, endpoint, ChatClientFactory(self.reactor, name="alice")
        )
        self.assertTrue(self.start().is_active)
        self.stop()
