"""Tests of the daemon's service: listening, stopping, and its assembly."""

from __future__ import annotations

import os
from typing import Any

from twisted.cred.strcred import makeChecker
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.daemon.service import ChatService
from chatd.errors import ConfigurationError, StartupError
from chatd.listening.service import ListeningService
from chatd.listening.stdio import StdioEndpoint, StdioTransport
from chatd.server.accounts import Accounts
from chatd.server.factory import ChatFactory
from tests.fakes.peers import KEY, hand_client

ALICE = "memory:alice:secret"
ANYWHERE = IPv4Address("TCP", "0.0.0.0", 9999)


class FakePort:
    """A listening port.

    Attributes:
        stopping: Fires when the port is closed, if it does not close at once.
        is_open: Whether it has not been asked to close.
    """

    def __init__(self, host: object = ANYWHERE, stopping: Deferred[None] | None = None) -> None:
        self.host = host
        self.stopping = stopping
        self.is_open = True

    def getHost(self) -> object:
        return self.host

    def stopListening(self) -> Deferred[None] | None:
        self.is_open = False
        return self.stopping


class FakeEndpoint:
    """An endpoint whose listening the test controls."""

    def __init__(self, listening: Deferred[FakePort]) -> None:
        self.listening = listening
        self.factories: list[object] = []

    def listen(self, factory: object) -> Deferred[FakePort]:
        self.factories.append(factory)
        return self.listening


class ListenerTests(SynchronousTestCase):
    """An endpoint, and the service that listens on it."""

    def setUp(self) -> None:
        self.factory = ChatFactory(Clock())

    def service_on(self, listening: Deferred[Any] | FakePort) -> ListeningService:
        """Make a service on a port, or on a Deferred of a port."""
        if isinstance(listening, FakePort):
            listening = succeed(listening)
        self.endpoint = FakeEndpoint(listening)
        endpoint: Any = self.endpoint
        return ListeningService(Clock(), "tcp:9999", endpoint, self.factory)


class ListeningTests(ListenerTests):
    """A port is opened once, and closed once."""

    def test_starts_once(self) -> None:
        """The service listens before the end of privileges, and not again afterwards."""
        port = FakePort()
        service = self.service_on(port)
        service.privilegedStartService()
        service.startService()
        self.assertEqual(self.endpoint.factories, [self.factory])
        self.assertIs(service.port, port)

    def test_logged(self) -> None:
        """It logs that it listens when the service is started, and clients are served."""
        slow: Deferred[FakePort] = Deferred()
        for listening in (succeed(FakePort()), slow):
            service = self.service_on(listening)
            with capturedLogs() as events:
                service.privilegedStartService()
            self.assertEqual(events, [])
            with capturedLogs() as events:
                service.startService()
                if listening is slow:
                    self.assertEqual(events, [])
                    slow.callback(FakePort())
            self.assertEqual(formatEvent(events[0]), "listening on tcp:9999 (tcp:0.0.0.0:9999)")

    def test_line_break(self) -> None:
        """A string with a line break is logged in one line."""
        endpoint: Any = FakeEndpoint(succeed(FakePort(UNIXAddress("/a\nb"))))
        service = ListeningService(Clock(), "unix:/a\nb", endpoint, self.factory)
        with capturedLogs() as events:
            service.startService()
        self.assertEqual(formatEvent(events[0]), r"listening on 'unix:/a\nb'")

    def test_starts_without_privileges(self) -> None:
        """It also listens in a start without the privileged step."""
        port = FakePort()
        service = self.service_on(port)
        service.startService()
        self.assertIs(service.port, port)

    def test_stops(self) -> None:
        """The service stops listening when the port closes."""
        closing: Deferred[None] = Deferred()
        port = FakePort(stopping=closing)
        service = self.service_on(port)
        service.startService()
        stopped = service.stopService()
        self.assertFalse(port.is_open)
        self.assertNoResult(stopped)
        closing.callback(None)
        self.assertIsNone(self.successResultOf(stopped))

    def test_stops_at_once(self) -> None:
        """It stops at once if the port does."""
        service = self.service_on(FakePort())
        service.startService()
        self.assertIsNone(self.successResultOf(service.stopService()))
        self.assertRaises(AssertionError, lambda: service.port)

    def test_starts_again(self) -> None:
        """It can listen again after a stop."""
        service = self.service_on(FakePort())
        service.startService()
        service.stopService()
        self.endpoint.listening = succeed(FakePort())
        service.startService()
        self.assertEqual(len(self.endpoint.factories), 2)

    def test_stopped_before_it_was_started(self) -> None:
        """Without an open port, the service closes nothing."""
        self.assertIsNone(self.successResultOf(self.service_on(FakePort()).stopService()))

    def test_stopped_before_it_listens(self) -> None:
        """If the service stops first, the daemon cancels slow listening."""
        cancelled: list[object] = []
        service = self.service_on(Deferred(cancelled.append))
        service.startService()
        self.assertRaises(AssertionError, lambda: service.port)
        self.assertIsNone(self.successResultOf(service.stopService()))
        self.assertEqual(len(cancelled), 1)

    def test_listens_later(self) -> None:
        """An endpoint may be slow."""
        listening: Deferred[FakePort] = Deferred()
        service = self.service_on(listening)
        service.startService()
        port = FakePort()
        listening.callback(port)
        self.assertIs(service.port, port)

    def test_abandoned(self) -> None:
        """`abandon` closes the port at once, and cancels slow listening."""
        reasons: list[Failure] = []
        port: Any = FakePort()
        port.connectionLost = reasons.append
        service = self.service_on(port)
        service.privilegedStartService()
        service.abandon()
        self.assertRaises(AssertionError, lambda: service.port)
        self.assertEqual([reason.type for reason in reasons], [ConnectionDone])

        cancelled: list[object] = []
        service = self.service_on(Deferred(cancelled.append))
        service.privilegedStartService()
        service.abandon()
        self.assertEqual(len(cancelled), 1)
        self.service_on(FakePort()).abandon()  # nothing was opened

    def test_port_that_does_not_stop_listening(self) -> None:
        """A transport that is not a port, such as that of `stdio:`, needs no closing."""
        service = self.service_on(succeed(object()))
        service.startService()
        self.assertIsNone(self.successResultOf(service.stopService()))


class PeerGoneTests(SynchronousTestCase):
    """The client on standard input and output leaves; that can end the service."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.finished: list[str] = []
        self.daemon = ChatService(
            self.reactor,
            ChatFactory(self.reactor),
            ["stdio:", "tcp:9999"],
            finish=lambda: self.finished.append("finished"),
        )
        self.peers: list[Any] = []

    def serve(self, *places: int) -> None:
        """Serve a client over pipes, at some of the service's endpoints."""
        for place in places:
            (input_end, near), (far, output_end) = os.pipe(), os.pipe()
            for number in (near, far, input_end, output_end):
                self.addCleanup(os.close, number)
            self.daemon.listeners[place]._endpoint = StdioEndpoint(
                self.reactor, input_end, output_end
            )
        self.daemon.startService()
        self.peers = [self.daemon.listeners[place].port for place in places]

    def lose(self, peer: StdioTransport) -> None:
        peer.connectionLost(Failure(ConnectionDone()))

    def test_only_endpoint(self) -> None:
        """If no other client can connect, it is the end."""
        self.daemon.listeners = self.daemon.listeners[:1]
        self.serve(0)
        self.assertEqual(self.finished, [])
        with capturedLogs() as events:
            self.lose(self.peers[0])
        self.assertIn("the peer on stdio: has gone", map(formatEvent, events))
        self.assertEqual(self.finished, ["finished"])
        self.assertRaises(AssertionError, lambda: self.daemon.listeners[0].port)

    def test_beside_others(self) -> None:
        """The service serves its other endpoints until the last client has left."""
        self.serve(0, 1)
        self.lose(self.peers[1])
        self.assertEqual(self.finished, [])
        self.lose(self.peers[0])
        self.assertEqual(self.finished, ["finished"])

    def test_stopped(self) -> None:
        """The goodbye of a service that stops is not such an end."""
        self.serve(0, 1)
        self.daemon.stopService()
        for peer in self.peers:
            self.lose(peer)
        self.assertEqual(self.finished, [])

    def test_abandoned(self) -> None:
        """A failed start closes the connections, and is not such an end either."""
        self.serve(0, 1)
        for listener in self.daemon.listeners:
            listener.abandon()
        self.assertTrue(all(peer.disconnected for peer in self.peers))
        self.assertEqual(self.finished, [])

    def test_program_that_goes_on(self) -> None:
        """A program without `finish` goes on."""
        self.daemon._finish = None
        self.serve(0, 1)
        for peer in self.peers:
            self.lose(peer)
        self.assertEqual(self.finished, [])

    def test_again(self) -> None:
        """A listener that starts again serves again."""
        self.serve(0)
        listener = self.daemon.listeners[0]
        self.lose(self.peers[0])
        self.assertTrue(listener.has_ended)
        listener.stopService()
        listener.startService()
        self.assertFalse(listener.has_ended)
        listener.abandon()


class BindingTests(ListenerTests):
    """A port that cannot be bound ends the daemon."""

    def startup_error(self, reason: Exception) -> str:
        """Start on an endpoint that fails, and return the error's text."""
        for start in ("privilegedStartService", "startService"):
            service = self.service_on(fail(reason))
            error = self.assertRaises(StartupError, getattr(service, start))
            self.assertIs(error.__cause__, reason)
        self.assertIsInstance(error, SystemExit)
        self.assertEqual(len(str(error).splitlines()), 1)
        return str(error)

    def test_in_use(self) -> None:
        """The daemon reports a port in use with the system's words."""
        in_use = CannotListenError("", 9999, OSError(98, "Address already in use"))
        self.assertEqual(
            self.startup_error(in_use), "chatd: cannot listen on tcp:9999: Address already in use"
        )

    def test_default_port(self) -> None:
        """The error names a port that the endpoint's string does not have."""
        refused = CannotListenError("", 443, OSError(13, "Permission denied"))
        self.assertEqual(
            self.startup_error(refused),
            "chatd: cannot listen on tcp:9999, port 443: Permission denied",
        )

    def test_other_reasons(self) -> None:
        """The error has any other reason with its text, or with its class if it has no text."""
        self.assertIn("no such port", self.startup_error(OverflowError("no such port")))
        self.assertIn("KeyError", self.startup_error(KeyError()))

    def test_later(self) -> None:
        """The log has the error of a port that fails to bind later."""
        listening: Deferred[FakePort] = Deferred()
        service = self.service_on(listening)
        service.startService()
        with capturedLogs() as events:
            listening.errback(OSError(98, "Address already in use"))
        self.flushLoggedErrors(OSError)
        errors = [event for event in events if event["log_level"] >= LogLevel.error]
        self.assertEqual(len(errors), 1)
        self.assertIn("tcp:9999", formatEvent(errors[0]))


class OpenServerTests(SynchronousTestCase):
    """A server that is open beyond its machine, and has no key, warns."""

    def warnings_on(
        self, host: object, key: bytes | None = None, *, where: str = "there", auth: str = ""
    ) -> list[str]:
        """Listen on an address, and return the warnings."""
        checkers = [makeChecker(each) for each in auth.split()]
        accounts = Accounts(Clock(), checkers) if checkers else None
        factory = ChatFactory(Clock(), key=key, accounts=accounts)
        with capturedLogs() as events:
            endpoint: Any = FakeEndpoint(succeed(FakePort(host)))
            ListeningService(Clock(), where, endpoint, factory).startService()
        return [formatEvent(event) for event in events if event["log_level"] is LogLevel.warn]

    def test_open(self) -> None:
        """An address that others can reach gets a warning with the remedy."""
        for host in (
            ANYWHERE,
            IPv4Address("TCP", "192.0.2.1", 9999),
            IPv6Address("TCP", "::", 9999),
            IPv6Address("TCP", "fe80::1%eth0", 9999),
        ):
            (warning,) = self.warnings_on(host)
            self.assertIn("no key: anyone can connect and listen in; make a key", warning)

    def test_within_the_machine(self) -> None:
        """Loopback addresses and UNIX sockets get no warning."""
        for host in (
            IPv4Address("TCP", "127.0.0.1", 9999),
            IPv6Address("TCP", "::1", 9999),
            UNIXAddress("/run/chat.sock"),
            IPv4Address("TCP", "not an address", 9999),
            None,
        ):
            self.assertEqual(self.warnings_on(host), [])

    def test_with_a_key(self) -> None:
        """With a key, there is no warning."""
        self.assertEqual(self.warnings_on(ANYWHERE, key=KEY), [])
        self.assertEqual(self.warnings_on(ANYWHERE, key=KEY, auth=ALICE), [])

    def test_where_nobody_can_log_in(self) -> None:
        """If clients need passwords that cannot be accepted, the warning says that."""
        for host in (ANYWHERE, IPv4Address("TCP", "127.0.0.1", 9999)):
            (warning,) = self.warnings_on(host, auth=ALICE)
            self.assertIn("there: nobody can log in", warning)
        self.assertEqual(self.warnings_on(UNIXAddress("/run/chat.sock"), auth=ALICE), [])

    def test_with_tls(self) -> None:
        """With TLS, there is no warning if every client needs an account; else there is."""
        for where in ("ssl:9999", "tls:certificates", "haproxy:ssl:9999"):
            self.assertEqual(self.warnings_on(ANYWHERE, where=where, auth=ALICE), [])
            for auth in ("", f"{ALICE} anonymous"):
                (warning,) = self.warnings_on(ANYWHERE, where=where, auth=auth)
                self.assertIn("no key: anyone can connect; make a key", warning)


class ChatServiceTests(SynchronousTestCase):
    """The daemon as a whole, on a reactor in memory."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.factory = ChatFactory(self.reactor)

    def test_listens_on_all(self) -> None:
        """It listens on all its endpoints, in order."""
        service = ChatService(self.reactor, self.factory, ["tcp:9999", "tcp:7"])
        service.privilegedStartService()
        service.startService()
        self.assertEqual([server[0] for server in self.reactor.tcpServers], [9999, 7])
        port: Any = service.listeners[0].port
        self.assertEqual(port.getHost().port, 9999)
        self.assertTrue(all(listener.running for listener in service.listeners))

    def test_stops(self) -> None:
        """The service stops listening, sends all goodbyes, and waits for the clients' end."""
        service = ChatService(self.reactor, self.factory, ["tcp:9999"])
        service.startService()
        client = hand_client(self.factory)
        stopped = service.stopService()
        self.assertFalse(service.listeners[0].running)
        self.assertIsNone(self.factory.buildProtocol(None))
        (end,) = client.take()
        self.assertEqual(end.header.code, "shutting-down")
        self.assertNoResult(stopped)
        client.transport.lose()
        self.assertIsNone(self.successResultOf(stopped))

    def test_stops_without_clients(self) -> None:
        """It stops at once without clients."""
        service = ChatService(self.reactor, self.factory, ["tcp:9999"])
        service.startService()
        self.assertIsNone(self.successResultOf(service.stopService()))

    def test_bad_endpoint(self) -> None:
        """A bad endpoint string is an error before any port listens."""
        endpoints = ["tcp:9999", "nonsense:1"]
        self.assertRaises(ConfigurationError, ChatService, self.reactor, self.factory, endpoints)
        self.assertEqual(self.reactor.tcpServers, [])
