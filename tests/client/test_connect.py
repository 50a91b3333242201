"""Tests of `connect`, and of the factory that builds the clients."""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.client import ChatClient
from chatd.client.connect import connect
from chatd.client.factory import ChatClientFactory
from chatd.client.service import ChatClientService
from chatd.connection.limits import HANDSHAKE_TIMEOUT_S
from chatd.errors import (
    ConfigurationError,
    LocalProtocolError,
    RequestError,
    SessionEnded,
    SessionRefused,
)
from chatd.server.admission import Applicant
from chatd.testing import MemoryServer
from chatd.wire.bounds import MAX_MAX_CONTENT
from chatd.wire.codec import Codec
from chatd.wire.envelope import ENVELOPE_BYTES, MAX_CONTENT, MAX_HEADER
from chatd.wire.frames import LENGTH
from chatd.wire.messages import Message, MessageType, SessionInit
from tests.client.cases import ENDPOINT, NetworkCase, RaisingEndpoint
from tests.fakes.handserver import HandServer
from tests.fakes.networks import UnixTransport, link
from tests.fakes.peers import (
    KEY,
    OTHER_KEY,
    Peer,
    PipeTransport,
    SocketTransport,
    TlsTransport,
)


class ConnectTests(NetworkCase):
    """`connect` returns a client with an active session, or fails with the reason."""

    def test_connected(self) -> None:
        """It fires at the client's welcome, and not before."""
        connecting = self.connect(name="alice")
        self.assertNoResult(connecting)
        self.network.accept()
        client = self.successResultOf(connecting)
        self.assertTrue(client.is_active)
        self.assertEqual((client.name, client.room), ("alice", "lobby"))
        self.assertEqual(self.names(), ["alice"])

    def test_endpoint_object(self) -> None:
        """It takes an endpoint instead of a string."""
        endpoint = TCP4ClientEndpoint(self.reactor, "localhost", 9999)
        connecting = Deferred.fromCoroutine(connect(self.reactor, endpoint))
        self.network.accept()
        self.assertRegex(self.successResultOf(connecting).name, "^guest-")

    def test_subclass(self) -> None:
        """It builds a subclass of the client."""

        class MyClient(ChatClient):
            pass

        connecting = self.connect(protocol=MyClient)
        self.network.accept()
        self.assertIsInstance(self.successResultOf(connecting), MyClient)

    def test_nobody_listens(self) -> None:
        """If no server listens, it fails with the endpoint's error."""
        connecting = self.connect()
        self.network.refuse()
        self.failureResultOf(connecting, ConnectError)

    def test_bad_endpoint(self) -> None:
        """An invalid endpoint string is a configuration error."""
        connecting = Deferred.fromCoroutine(connect(self.reactor, "localhost:9999"))
        self.failureResultOf(connecting, ConfigurationError)

    def test_fails_to_begin(self) -> None:
        """If a client fails at its beginning, the attempt fails, and the connection is closed."""

        class Broken(ChatClient):
            def connectionMade(self) -> None:
                raise KeyError("no")

        connecting = self.connect(protocol=Broken)
        self.network.accept()
        error = self.failureResultOf(connecting, SessionEnded).value
        self.assertEqual((error.code, error.reason), ("internal-error", "the client failed"))
        self.assertEqual((self.names(), self.reactor.getDelayedCalls()), ([], []))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_fails_before_the_welcome(self) -> None:
        """So it is with a client that fails at its welcome."""

        class Broken(ChatClient):
            def handshake_done(self) -> None:
                raise KeyError("no")

        connecting = self.connect(protocol=Broken)
        self.network.accept()
        self.network.advance(0)
        error = self.failureResultOf(connecting, SessionEnded).value
        self.assertEqual((error.code, error.reason), ("internal-error", "the client failed"))
        self.assertEqual((self.names(), self.reactor.getDelayedCalls()), ([], []))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_endpoint_that_fails(self) -> None:
        """An endpoint's error that no network causes is a configuration error."""
        connecting = Deferred.fromCoroutine(connect(self.reactor, RaisingEndpoint()))
        error = self.failureResultOf(connecting, ConfigurationError).value
        self.assertEqual(
            str(error), "cannot connect to RaisingEndpoint: NotImplementedError: not here"
        )

    def test_no_key_at_all(self) -> None:
        """A key of the wrong length is a configuration error, without a connection."""
        self.failureResultOf(self.connect(key=b"too short"), ConfigurationError)
        self.assertEqual(self.network.attempts, 0)

    def test_cancelled_while_connecting(self) -> None:
        """It can be cancelled while the endpoint connects."""
        connecting = self.connect()
        connecting.cancel()
        self.failureResultOf(connecting)
        self.assertEqual(self.names(), [])

    def test_cancelled_while_waiting(self) -> None:
        """Cancelled before the welcome, it closes the connection."""
        connecting = self.connect()
        self.network.accept_in_silence()
        self.assertNoResult(connecting)
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        self.network.pump()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_silent_server(self) -> None:
        """With a server that says nothing, it ends when the time of the handshake is over."""
        clock, server = Clock(), HandServer()
        connecting = Deferred.fromCoroutine(connect(clock, server))
        clock.advance(HANDSHAKE_TIMEOUT_S - 0.01)
        self.assertNoResult(connecting)
        clock.advance(0.01)
        clock.advance(0)
        error = self.failureResultOf(connecting, SessionEnded).value
        self.assertEqual((type(error), error.code), (SessionEnded, "handshake-timeout"))
        self.assertEqual(server.peers[0].transport.ends, ["half-close", "abort"])
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_another_protocol(self) -> None:
        """With a server that is not chatd, it ends, and does not count as refused."""
        clock, server = Clock(), HandServer()
        connecting = Deferred.fromCoroutine(connect(clock, server))
        server.peers[0].protocol.dataReceived(b"\0\0\1\0HTTP" + bytes(252))
        clock.advance(0)
        server.peers[0].transport.lose()
        error = self.failureResultOf(connecting, SessionEnded).value
        self.assertEqual((type(error), error.code), (SessionEnded, "bad-magic"))


class RefusalTests(NetworkCase):
    """A refused client gets the reason."""

    def refusal(self, **options: object) -> SessionRefused:
        """Connect, and return the error."""
        connecting = self.connect(**options)
        self.network.accept()
        error = self.failureResultOf(connecting, SessionRefused).value
        self.assertEqual((self.names(), self.reactor.getDelayedCalls()), ([], []))
        return error

    def test_key_unexpected(self) -> None:
        """A client with a key learns that the server has no key."""
        error = self.refusal(key=KEY)
        self.assertEqual((error.code, error.retry), ("key-unexpected", False))

    def test_bad_name(self) -> None:
        """The server refuses a client with an invalid name, which gets that reason."""
        self.assertEqual(self.refusal(name="al ice").code, "bad-name")

    def test_name_taken(self) -> None:
        """The server refuses a client with a taken name, which gets that reason."""
        self.assertEqual(self.refusal(name="Server").code, "name-taken")

    def test_shutting_down(self) -> None:
        """A client that connects during a shutdown is invited to retry."""
        factory: Any = self.factory
        greeting = factory.buildProtocol

        def build_and_leave(address: object):
            protocol = greeting(address)
            self.reactor.callLater(0, self.factory.shut_down)
            return protocol

        factory.buildProtocol = build_and_leave
        error = self.refusal()
        self.assertEqual((error.code, error.retry), ("shutting-down", True))


class KeyRefusalTests(NetworkCase):
    """A server with a key accepts only clients with the same key."""

    key = KEY

    def test_same_key(self) -> None:
        """The server accepts a client with the same key."""
        connecting = self.connect(key=KEY, name="alice")
        self.network.accept()
        self.assertTrue(self.successResultOf(connecting).is_active)

    def test_key_required(self) -> None:
        """A client without a key learns that the server requires a key."""
        connecting = self.connect()
        self.network.accept()
        error = self.failureResultOf(connecting, SessionRefused).value
        self.assertEqual((error.code, error.retry), ("key-required", False))
        for way in ("--key-file", "key=chatd.load_key(path)"):
            self.assertIn(way, error.reason)

    def test_wrong_key(self) -> None:
        """The server refuses a client with another key, which gets that reason."""
        connecting = self.connect(key=OTHER_KEY)
        self.network.accept()
        error = self.failureResultOf(connecting, SessionRefused).value
        self.assertEqual((error.code, error.retry), ("wrong-key", False))


class AnotherLoopTests(NetworkCase):
    """A client is used in its reactor's event loop."""

    def test_another_loop(self) -> None:
        """In another event loop, all that waits for the server is refused at the call."""
        connecting = self.connect()
        self.network.accept()
        client = self.successResultOf(connecting)
        service = ChatClientService(self.reactor, ENDPOINT, ChatClientFactory(self.reactor))
        other = asyncio.new_event_loop()
        reactor: Any = AsyncioSelectorReactor(other)
        self.addCleanup(other.close)
        self.addCleanup(reactor.waker.connectionLost, None)
        self.addCleanup(reactor.removeReader, reactor.waker)
        self.patch(client, "_clock", reactor)
        self.patch(service, "_reactor", reactor)

        async def main() -> None:
            for call in (
                lambda: client.send("hello"),
                lambda: client.join("room"),
                client.ping,
                lambda: service.send("hello"),
                service.whenConnected,
            ):
                with self.assertRaisesRegex(LocalProtocolError, "run_coroutine_threadsafe"):
                    call()

        asyncio.run(main())


class FactoryTests(SynchronousTestCase):
    """One loop watches all clients of a factory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.factory = ChatClientFactory(self.clock, name="alice", password="open sesame")

    def welcomed(
        self,
        heartbeat: float = 5.0,
        *,
        auth: bool = True,
        max_content: int = MAX_CONTENT,
        transport_class: type[PipeTransport] = SocketTransport,
    ) -> Peer:
        """Build a client, and welcome it."""
        server = Peer(self.factory.buildProtocol(None), Codec(), transport_class)
        init = SessionInit(session_id="s1", heartbeat=heartbeat, auth=auth, max_content=max_content)
        welcome = {"event": "welcome", "session_id": "s1", "name": "alice", "room": None}
        server.send(Message(MessageType.SESSION_INIT, init), Message(MessageType.EVENT, welcome))
        self.clock.advance(0)
        return server

    def test_longest_content(self) -> None:
        """A server cannot raise the client's limit of content, which is 64 MiB by default."""
        options: list[tuple[dict[str, Any], int, int]] = [
            ({}, MAX_MAX_CONTENT, 64 * 1024 * 1024),
            ({"max_content": 1000}, MAX_MAX_CONTENT, 1000),
            ({"max_content": MAX_MAX_CONTENT}, MAX_MAX_CONTENT, MAX_MAX_CONTENT),
            ({}, 1000, 1000),
        ]
        for given, told, limit in options:
            client = ChatClientFactory(self.clock, **given).buildProtocol(None)
            server = Peer(client, Codec())
            init = SessionInit(session_id="s1", max_content=told)
            server.send(Message(MessageType.SESSION_INIT, init))
            self.assertEqual(client.max_content, limit)
        for wrong in (3, MAX_MAX_CONTENT + 1):
            with self.assertRaises(ConfigurationError):
                ChatClientFactory(self.clock, max_content=wrong)

    def test_announced_too_much(self) -> None:
        """A longer message ends the session with a clear reason, before its content arrives."""
        server = self.welcomed(max_content=MAX_MAX_CONTENT)
        length = 64 * 1024 * 1024 + MAX_HEADER + ENVELOPE_BYTES + 1
        server.protocol.dataReceived(LENGTH.pack(length))
        self.clock.advance(0)
        reason = server.protocol.connection.end_reason
        self.assertEqual((reason.code, reason.retry), ("too-large", False))
        self.assertIn(f"frame of {length} bytes exceeds the limit of {length - 1}", str(reason))

    def test_answer_to_the_greeting(self) -> None:
        """The client sends the name and the password over a private transport."""
        for transport_class in (TlsTransport, UnixTransport):
            (answer,) = self.welcomed(transport_class=transport_class).take()
            self.assertEqual(
                (answer.header.session_id, answer.header.name, answer.header.password),
                ("s1", "alice", "open sesame"),
            )

    def test_password_in_the_clear(self) -> None:
        """The client does not send the password in the clear over TCP, even if asked for it."""
        (answer,) = self.welcomed().take()
        self.assertEqual((answer.header.name, answer.header.password), ("alice", None))

    def test_password_with_a_key(self) -> None:
        """With a key, the client sends it, since the key encrypts it."""
        for key, password in ((KEY, "open sesame"), (None, None)):
            shown: list[Applicant] = []

            async def admit(applicant: Applicant, shown: list[Applicant] = shown) -> None:
                shown.append(applicant)
                raise RequestError("not-today", "nobody is let in")

            server = MemoryServer(key=key)
            admission: Any = server.factory.engine.admission
            admission.takes_passwords = lambda _: True
            admission.admit = admit
            client = ChatClientFactory(
                server.clock, key=key, name="alice", password="open sesame"
            ).buildProtocol(None)
            protocol: Any = server.factory.buildProtocol(None)
            link(protocol, client, server.clock)
            self.assertEqual([applicant.password for applicant in shown], [password])

    def test_password_that_is_not_asked_for(self) -> None:
        """The client does not send it if the server does not ask for it."""
        (answer,) = self.welcomed(auth=False, transport_class=TlsTransport).take()
        self.assertIsNone(answer.header.password)

    def test_one_loop(self) -> None:
        """Any number of clients needs one delayed call; without clients, there is none."""
        servers = [self.welcomed() for _ in range(20)]
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        for server in servers:
            server.transport.lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_silent_server(self) -> None:
        """A client leaves a server that is silent for three intervals, and does not wait for it."""
        server = self.welcomed(heartbeat=1.0)
        for _ in range(4 * 50):
            self.clock.advance(1 / 50 + 1e-9)
        self.assertEqual(server.protocol.connection.end_reason.code, "heartbeat-timeout")
        self.assertEqual(server.transport.ends, ["half-close", "abort"])

    def test_another_interval(self) -> None:
        """After all clients have left, the next server's interval counts."""
        self.welcomed(heartbeat=1000.0).transport.lose()
        server = self.welcomed(heartbeat=1.0)
        for _ in range(4 * 50):
            self.clock.advance(1 / 50 + 1e-9)
        self.assertFalse(server.protocol.is_active)

    def test_lost_before_the_welcome(self) -> None:
        """A client without a welcome leaves no timer."""
        server = Peer(self.factory.buildProtocol(None), Codec())
        server.transport.lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])
