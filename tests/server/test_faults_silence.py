"""Tests of peers that vanish without a word, and of peers that send a byte now and then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.factory import ChatClientFactory
from chatd.client.service import ChatClientService
from chatd.connection.client import ClientConnection
from chatd.connection.keepalive import SILENT_INTERVALS
from chatd.connection.limits import HANDSHAKE_TIMEOUT_S
from chatd.server.factory import ChatFactory
from chatd.transport.closing import CLOSE_TIMEOUT_S
from chatd.transport.protocol import HOLD_PENDING
from chatd.wire.channel import ClearChannel, SecureChannel
from chatd.wire.codec import Codec
from chatd.wire.keys import noise_psk
from chatd.wire.messages import Header, Message, MessageType
from tests.connection.wiring import answered
from tests.fakes.handserver import HandServer, fields_of, said, welcome
from tests.fakes.peers import (
    KEY,
    Peer,
    SocketTransport,
    greeted_client,
    hand_client,
    memory_factory,
    pong,
    settle,
)
from tests.mixins import CaseMixin

HEARTBEAT_S = 5.0
LATEST_S = (SILENT_INTERVALS + 2) * HEARTBEAT_S
"""The latest end of a silent session: checks are up to an interval apart."""


class GoneTests(SynchronousTestCase):
    """Alice's machine vanishes without an end of its connection; bob stays."""

    def setUp(self) -> None:
        self.factory = memory_factory(heartbeat_s=HEARTBEAT_S)
        self.clock: Clock = self.factory.clock
        self.alice = hand_client(self.factory, "alice")
        self.bob = hand_client(self.factory, "bob")
        self.told: list[Message] = []

    def let_pass(self, seconds: float) -> None:
        """Let time pass, while bob answers every ping."""
        for _ in range(round(seconds * 8)):
            self.clock.advance(1 / 8)  # exact in binary
            for frame in self.bob.take():
                if frame.type == MessageType.HEARTBEAT:
                    self.bob.send(pong(frame.header.n))
                else:
                    self.told.append(frame)

    def names(self) -> list[str]:
        return [session.name for session in self.factory.sessions.values()]

    def check_gone(self, code: str) -> None:
        """Check that alice is out of the room, her name is free, and no state of hers remains."""
        self.assertEqual(self.names(), ["bob"])
        self.assertEqual(list(self.factory.hub.roster.here), ["bob"])
        self.assertEqual(self.factory.hub.roster.rooms["lobby"].count, 1)
        events = [fields_of(frame) for frame in self.told if frame.type == MessageType.EVENT]
        self.assertEqual([event["event"] for event in events], ["left"])
        self.let_pass(CLOSE_TIMEOUT_S)
        self.assertEqual(self.alice.transport.ends[-1], "abort")
        self.assertTrue(self.alice.transport.is_lost)
        self.assertEqual(len(self.factory.engine.connections), 1)
        settle(self.factory)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)  # the heartbeats
        self.assertEqual(self.code_of(self.alice), code)
        again = hand_client(self.factory, "alice")
        self.assertEqual(self.names(), ["bob", "alice"])
        again.say("back again")
        settle(self.factory)
        self.assertEqual(again.take_texts(), ["back again"])

    def code_of(self, peer: Peer) -> str:
        return peer.protocol.connection.end_reason.code

    def test_silent(self) -> None:
        """Her session ends, others get an event, her name is free; her unsent bytes are dropped."""
        self.let_pass(LATEST_S)
        (*_, end) = self.alice.take()
        self.assertEqual((end.header.code, end.header.retry), ("heartbeat-timeout", True))
        self.check_gone("heartbeat-timeout")

    def test_while_it_is_told_something(self) -> None:
        """The same happens if her socket is full of messages for her."""
        self.alice.transport.accept_no_more()
        self.bob.say("are you there?")
        self.let_pass(LATEST_S)
        self.told = [frame for frame in self.told if frame.type != MessageType.MESSAGE]
        self.check_gone("heartbeat-timeout")

    def test_while_it_is_told_much(self) -> None:
        """The same happens if reading from her is paused because too many bytes wait for her."""
        self.alice.transport.accept_no_more()
        self.bob.send(Message.chat(bytes(HOLD_PENDING + 1), id="much"))
        self.let_pass(LATEST_S)
        self.told = [frame for frame in self.told if frame.type != MessageType.MESSAGE]
        self.check_gone("slow-consumer")

    def test_before_it_was_welcomed(self) -> None:
        """A connection that never sends a byte ends, and takes no name."""
        silent = greeted_client(self.factory)
        self.let_pass(HANDSHAKE_TIMEOUT_S)
        (end,) = silent.take()
        self.assertEqual((end.header.code, end.header.retry), ("handshake-timeout", True))
        self.let_pass(CLOSE_TIMEOUT_S)
        self.assertTrue(silent.transport.is_lost)


class SilentServerTests(SynchronousTestCase):
    """A client whose server vanishes without an end of the connection."""

    def test_comes_back(self) -> None:
        """It gives the session up, connects again at once, and sends unconfirmed messages again."""
        clock, server = Clock(), HandServer()
        service = ChatClientService(
            clock, server, ChatClientFactory(clock, name="alice"), lambda _: 1.0
        )
        service.startService()
        welcome(server.peer)
        first = server.peer
        answer_all(first)
        receipt = service.send("hello", id="hello")
        clock.advance(0)
        for _ in range(round(LATEST_S)):
            if not first.protocol.connection.is_over:
                clock.advance(1)
        self.assertEqual(first.protocol.connection.end_reason.code, "heartbeat-timeout")
        clock.advance(0)  # the system takes the goodbye, which the server does not read
        self.assertTrue(first.transport.is_lost)
        clock.advance(1)  # the pause before the next attempt
        self.assertEqual(len(server.peers), 2)
        welcome(server.peer)
        self.assertEqual(answer_all(server.peer), ["hello"])
        server.peer.send(said("hello", 1, sender="alice"))
        self.assertEqual(self.successResultOf(receipt).seq, 1)
        stopping = service.stopService()
        server.peer.transport.lose()
        self.successResultOf(stopping)


def answer_all(peer: Peer) -> list[str]:
    """Answer a client by hand as the server; return the texts of its messages."""
    texts = []
    while frames := peer.take():
        texts += [frame.text for frame in frames if frame.type == MessageType.MESSAGE]
        for frame in frames:
            if frame.type == MessageType.COMMAND:
                fields = {"room": "lobby", "epoch": "e", "seq": 0, "items": []}
                peer.send(Message(MessageType.RESULT, {**fields, "id": frame.header["id"]}))
        peer.protocol._clock.advance(0)
    return texts


class TricklingPeer:
    """A client that sends its bytes slowly.

    Args:
        factory: The server.
        key: The shared key, or None.
    """

    def __init__(self, factory: ChatFactory, key: bytes | None) -> None:
        self.clock: Any = factory.clock
        channel = (
            ClearChannel(expects_server=True)
            if key is None
            else SecureChannel(noise_psk(key), initiator=False)
        )
        self.connection = ClientConnection(Codec(key), channel, 0.0, name="alice")
        protocol: Any = factory.buildProtocol(None)
        self.protocol = protocol
        self.transport: Any = SocketTransport(protocol)
        self._taken = 0
        protocol.makeConnection(self.transport)

    def take(self) -> None:
        """Read the server's bytes."""
        data = b"".join(self.transport.writes[self._taken :])
        self._taken = len(self.transport.writes)
        self.connection.receive_data(data)
        for _ in answered(self.connection):
            pass

    def establish(self) -> None:
        """Begin a session at once."""
        for _ in range(3):
            self.clock.advance(0)
            self.take()
            data = self.connection.data_to_send()
            if data:
                self.protocol.dataReceived(data)
        assert self.connection.is_established

    def trickle(self, pieces: Iterator[bytes], interval_s: float = 1.0) -> float:
        """Send one piece at a time until the server ends the connection; return the seconds."""
        began = self.clock.seconds()
        for piece in pieces:
            if self.transport.ends:
                return self.clock.seconds() - began
            self.protocol.dataReceived(piece)
            self.clock.advance(interval_s)
        raise AssertionError("it was not ended")

    def code(self) -> str:
        """The server's reason for the end."""
        return self.protocol.connection.end_reason.code


def bytes_of(data: bytes) -> Iterator[bytes]:
    """Feed bytes singly."""
    return (data[place : place + 1] for place in range(len(data)))


class TricklePromises(CaseMixin):
    """The bounds for clients that send one byte a second, with a key and without."""

    key: bytes | None

    def setUp(self) -> None:
        self.factory = memory_factory(key=self.key, heartbeat_s=HEARTBEAT_S)
        self.peer = TricklingPeer(self.factory, self.key)

    def check_over(self) -> None:
        """Check that no state of the client remains."""
        for _ in range(round(CLOSE_TIMEOUT_S)):
            self.factory.clock.advance(1)
        self.assertTrue(self.peer.transport.is_lost)
        self.assertEqual(len(self.factory.engine.connections), 0)
        self.assertFalse(self.factory.sessions)
        self.assertEqual(self.factory.clock.getDelayedCalls(), [])

    def test_handshake(self) -> None:
        """A handshake has a deadline, even if bytes of it keep arriving."""
        self.peer.take()
        handshake = self.peer.connection.data_to_send()
        self.assertGreater(len(handshake), HANDSHAKE_TIMEOUT_S)
        self.assertEqual(self.peer.trickle(bytes_of(handshake)), HANDSHAKE_TIMEOUT_S)
        self.assertEqual(self.peer.code(), "handshake-timeout")
        self.check_over()

    def test_frame(self) -> None:
        """Bytes of a frame that stays incomplete for long are no sign of life."""
        self.peer.establish()
        self.peer.connection.send(*parts(Message.chat(bytes(1000), id="slow")))
        frame = self.peer.connection.data_to_send()
        self.assertLessEqual(self.peer.trickle(bytes_of(frame)), LATEST_S)
        self.assertEqual(self.peer.code(), "heartbeat-timeout")
        self.check_over()

    def test_whole_frames(self) -> None:
        """A client that completes a frame in time stays, slow as it is."""
        self.peer.establish()
        ping = Message(MessageType.HEARTBEAT, {"n": 1}, b"ping")
        for _ in range(20):
            self.peer.connection.send(*parts(ping))
            frame = self.peer.connection.data_to_send()
            for piece in bytes_of(frame):
                self.peer.protocol.dataReceived(piece)
                self.factory.clock.advance(HEARTBEAT_S / len(frame))
        self.assertEqual(self.peer.transport.ends, [])
        self.peer.transport.lose()
        self.factory.clock.advance(0)


def parts(message: Message) -> tuple[int, Header, bytes]:
    """Return the arguments of `Connection.send`."""
    return message.type, message.header, message.content


class ClearTrickleTests(TricklePromises, SynchronousTestCase):
    """Without a key."""

    key = None


class SealedTrickleTests(TricklePromises, SynchronousTestCase):
    """With a key."""

    key = KEY

    def test_records(self) -> None:
        """Complete records, each with a byte of a frame, are no sign of life either."""
        self.peer.establish()
        frame = self.peer.connection.codec.encode(Message.chat(bytes(1000), id="slow"))
        channel = self.peer.connection._channel
        records = (bytes(channel.seal(piece)) for piece in bytes_of(frame))
        self.assertLessEqual(self.peer.trickle(records), LATEST_S)
        self.assertEqual(self.peer.code(), "heartbeat-timeout")
        self.check_over()
