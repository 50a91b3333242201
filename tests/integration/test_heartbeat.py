"""Heartbeats: silence on either side ends a session, and a quiet room does not."""

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol, connectionDone

import chatd
from chatd import ChatClient, Codec, Message, MessageType
from chatd.wire.messages import SessionInit
from tests.integration.sessions import (
    Behaviour,
    WatchedFactory,
    connect,
    leave,
    with_and_without_key,
)

INTERVAL_S = 0.05


class Listener(ChatClient):
    """A client that counts arrivals."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.waiters = 0
        self.has_heard: Deferred[Any] = Deferred()
        self.enough = 8

    def dataReceived(self, data):
        super().dataReceived(data)
        self.waiters += 1
        if self.waiters == self.enough:
            self.has_heard.callback(None)


class SilentServer(Protocol):
    """Welcomes a client, and then sends nothing."""

    def connectionMade(self):
        greeting = SessionInit(session_id="silent", heartbeat=INTERVAL_S)
        self.say(MessageType.SESSION_INIT, greeting)
        self.heard = b""

    def dataReceived(self, data):
        self.heard += data
        if not self.factory.was_greeted:
            self.factory.was_greeted = True
            self.say(MessageType.EVENT, {"event": "welcome", "name": "alice", "room": None})

    def say(self, message_type, header):
        self.transport.write(Codec().encode(Message(message_type, header)))

    def connectionLost(self, reason=connectionDone):
        self.factory.heard.callback(self.heard)


class HeartbeatBehaviour(Behaviour):
    @with_and_without_key
    async def test_quiet_session(self, key):
        """Heartbeats keep a session without messages alive, beyond three intervals."""
        async with self.serve(key, heartbeat_s=INTERVAL_S) as server:
            client: Any = await connect(server, key=key, protocol=Listener)
            await client.has_heard

            assert client.is_active
            assert len(server.factory.sessions) == 1
            await leave(client)

    @with_and_without_key
    async def test_ping(self, key):
        """The server answers a client's ping, which gives the round-trip time."""
        async with self.serve(key) as server:
            client = await connect(server, key=key)
            assert await client.ping() > 0
            await leave(client)

    @with_and_without_key
    async def test_silent_client(self, key):
        """A client that does not answer gets that reason, and its session ends."""
        async with self.serve(key, WatchedFactory, heartbeat_s=INTERVAL_S) as server:
            client = await connect(server, "alice", key=key)
            session = await server.wait_for_session("alice")
            client.stream.pauseProducing()
            assert (await session.end_reason).code == "heartbeat-timeout"

            client.stream.resumeProducing()
            end_reason = await client.when_ended()
            assert (end_reason.code, end_reason.retry) == ("heartbeat-timeout", True)

    async def test_silent_server(self, tmp_path):
        """A client ends a session with a silent server, with that reason."""
        factory: Any = Factory.forProtocol(SilentServer)
        factory.noisy = False
        factory.was_greeted = False
        factory.heard = Deferred()
        tcp = "tcp:0:interface=127.0.0.1"
        description = tcp if self.sockets == "tcp" else f"unix:{tmp_path}/s"
        port = await serverFromString(reactor, description).listen(factory)
        there = description if self.sockets == "unix" else f"tcp:127.0.0.1:{port.getHost().port}"

        client = await chatd.connect(reactor, there)
        end_reason = await client.when_ended()
        assert (end_reason.code, end_reason.retry) == ("heartbeat-timeout", True)
        assert b"heartbeat-timeout" in await factory.heard
        await port.stopListening()


class TestTCP(HeartbeatBehaviour):
    sockets = "tcp"


class TestUnix(HeartbeatBehaviour):
    sockets = "unix"
