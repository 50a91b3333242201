"""Tests of large messages: sessions that do not get them do not wait for them."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.server.factory import ChatFactory
from chatd.server.session import Session
from chatd.transport.sealing import STEP_BYTES
from chatd.wire.messages import Message, MessageType, SessionAck
from tests.fakes.peers import Peer, greeted_client
from tests.fakes.reactors import TurnClock
from tests.server.cases import PING, gist

LARGE = b"x" * (3 * STEP_BYTES)
STEPS = 6  # three for the checksum, and three for the MAC


class EchoFactory(ChatFactory):
    """Answers each message to its sender alone."""

    def message_received(self, session: Session, message: Message) -> None:
        session.reply(message, message.content)


class LargeMessageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.serve()

    def serve(self, factory_class: type[ChatFactory] = ChatFactory, **options: Any) -> None:
        self.clock = TurnClock()
        self.factory: Any = factory_class(self.clock, unix_time=self.clock.seconds, **options)
        self.alice, self.bob = self.client("alice", "lobby"), self.client("bob", "lobby")
        self.carol = self.client("carol", "attic")
        self.clock.finish()
        for client in (self.alice, self.bob, self.carol):
            client.take()

    def client(self, name: str, room: str) -> Peer:
        client = greeted_client(self.factory)
        session_id = client.protocol.connection.session_id
        ack = SessionAck(session_id=session_id, name=name, rooms=[room])
        client.send(Message(MessageType.SESSION_ACK, ack))
        self.clock.finish()
        return client

    def told(self, client: Peer) -> list[str]:
        """Return what a client was told, with large contents as "large"."""
        return ["large" if LARGE.decode() == text else text for text in map(gist, client.take())]

    def test_others_do_not_wait(self) -> None:
        """A message in another room is delivered before a large one is sealed."""
        self.alice.send(Message.chat(LARGE, id="1"))
        self.carol.say("hello")
        self.clock.turn()
        self.clock.turn()
        self.assertEqual(self.told(self.carol), ["hello"])
        self.assertEqual(self.bob.count_writes(), 0)
        self.assertGreaterEqual(self.clock.finish(), STEPS - 2)
        self.assertEqual(self.told(self.bob), ["large"])

    def test_order(self) -> None:
        """Messages to a room, large and small, come to all its members in their order."""
        self.bob.say("a")
        self.alice.send(Message.chat(LARGE, id="1"))
        self.bob.say("b", "c")
        self.clock.turn()
        self.alice.send(Message.chat(LARGE, id="2"), Message.chat("d", id="d"))
        self.clock.finish()
        expected = ["a", "large", "b", "c", "large", "d"]
        self.assertEqual(self.told(self.alice), expected)
        self.assertEqual(self.told(self.bob), expected)

    def test_answers_follow(self) -> None:
        """The answer to a ping follows the large message that the room got before."""
        self.alice.send(Message.chat(LARGE, id="1"))
        self.bob.send(PING)
        self.clock.finish()
        self.assertEqual(self.told(self.bob), ["large", "pong"])

    def test_waiting(self) -> None:
        """A member is not flushed again and again while a large message is sealed."""
        flush = self.bob.protocol.flush
        flushes: list[None] = []

        def count_flush() -> None:
            flushes.append(None)
            flush()

        self.patch(self.bob.protocol, "flush", count_flush)
        self.alice.send(Message.chat(LARGE, id="1"), Message.chat("a", id="a"))
        self.clock.turn()
        before = len(flushes)
        for _ in range(STEPS - 2):
            self.clock.turn()
        self.assertEqual(len(flushes), before)
        self.clock.finish()
        self.assertEqual(self.told(self.bob), ["large", "a"])

    def test_direct(self) -> None:
        """A large direct message comes to both names, and the sender's later messages follow."""
        self.alice.send(Message.chat(LARGE, id="1", to="carol"), Message.chat("a", id="a"))
        self.clock.finish()
        self.assertEqual(self.told(self.alice), ["large", "a"])
        self.assertEqual(self.told(self.carol), ["large"])
        self.assertEqual(self.told(self.bob), ["a"])

    def test_history(self) -> None:
        """A large kept message is sealed in steps, too; the result of the command follows it."""
        self.alice.say("a")
        self.alice.send(Message.chat(LARGE, id="1"), Message.chat("b", id="b"))
        self.clock.finish()
        self.bob.take()
        fields = {"id": "h", "command": "history", "room": "lobby", "before": 3}
        self.bob.send(Message(MessageType.COMMAND, fields))
        self.bob.send(PING)
        self.assertGreaterEqual(self.clock.finish(), STEPS)
        self.assertEqual(self.told(self.bob), ["large", "h", "pong"])

    def test_reply(self) -> None:
        """The large answer of a service is sealed in steps, too, and keeps its place."""
        self.serve(EchoFactory)
        self.alice.send(Message.chat(LARGE, id="1"), Message.chat("a", id="a"))
        self.assertGreaterEqual(self.clock.finish(), STEPS)
        self.assertEqual(self.told(self.alice), ["large", "a"])

    def test_end(self) -> None:
        """A session that ends still gets the large message that it waits for, then the reason."""
        self.alice.send(Message.chat(LARGE, id="1"))
        self.clock.turn()
        self.bob.protocol.end_session("goodbye", "goodbye")
        self.clock.finish()
        *before, end = self.bob.take()
        self.assertEqual([message.content for message in before], [LARGE])
        self.assertEqual(end.type, MessageType.DISCONNECT)

    def test_lost(self) -> None:
        """A member that is gone meanwhile does not keep the others from the message."""
        self.alice.send(Message.chat(LARGE, id="1"))
        self.clock.turn()
        self.bob.transport.lose()
        self.clock.finish()
        self.assertEqual(self.told(self.alice), ["large", "left"])

    def test_shared(self) -> None:
        """The members of a room share the bytes of a large message that they have not read."""
        for client in (self.alice, self.bob):
            client.protocol.pauseProducing()
        self.alice.send(Message.chat(LARGE, id="1"))
        self.clock.finish()
        (alices,), (bobs,) = (
            client.protocol.connection._behind for client in (self.alice, self.bob)
        )
        self.assertIs(alices, bobs)
        for client in (self.alice, self.bob):
            client.protocol.resumeProducing()
        self.clock.finish()
        self.assertEqual(self.told(self.bob), ["large"])
