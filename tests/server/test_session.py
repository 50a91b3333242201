"""Tests of `chatd.server.session`."""

from __future__ import annotations

from typing import ClassVar

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import LocalProtocolError, SessionEnded
from chatd.server.factory import ChatFactory
from chatd.server.session import Session
from chatd.testing import MemoryServer
from chatd.transport.closing import CLOSE_TIMEOUT_S
from chatd.wire.messages import Message, MessageType
from tests.fakes.peers import (
    GOODBYE,
    Peer,
    ack,
    greeted_client,
    hand_client,
    memory_factory,
    settle,
)


class RecordingSession(Session):
    """Notes its beginning and its end.

    Attributes:
        steps: The beginnings and ends of all sessions of the test, in order.
    """

    steps: list[tuple[object, ...]]

    def established(self) -> None:
        self.extra["visits"] = 1
        self.steps.append(("established", self.name, self.is_active))

    def ended(self, reason: SessionEnded) -> None:
        self.steps.append(("ended", self.name, reason.code, self.is_active))


class SessionTests(SynchronousTestCase):
    """A server whose sessions note their beginnings and ends."""

    def setUp(self) -> None:
        self.steps: list[tuple[object, ...]] = []

        class SteppingSession(RecordingSession):
            steps = self.steps

        class SteppingFactory(ChatFactory):
            session_class = SteppingSession

        self.session_class = SteppingSession
        self.factory = memory_factory(SteppingFactory, max_content=100)

    def session_of(self, client: Peer) -> Session:
        return self.factory.sessions[client.protocol.connection.session_id]

    def end_turn(self) -> None:
        settle(self.factory)


class LifeTests(SessionTests):
    """The server calls `established` and `ended` once each, for every reason of an end."""

    def setUp(self) -> None:
        super().setUp()
        self.client = hand_client(self.factory)

    def assert_ended(self, code: str) -> None:
        """Check that the session began and ended once, and that no call follows."""
        self.end_turn()
        expected = [("established", "alice", True), ("ended", "alice", code, False)]
        self.assertEqual(self.steps, expected)
        self.factory.clock.advance(CLOSE_TIMEOUT_S)
        self.client.transport.lose()
        self.end_turn()
        self.assertEqual(self.steps, expected)
        self.assertEqual((self.factory.sessions, self.factory.clock.getDelayedCalls()), ({}, []))

    def test_established(self) -> None:
        """After the welcome, the server calls only `established`."""
        self.assertEqual(self.steps, [("established", "alice", True)])
        self.assertIsInstance(self.session_of(self.client), self.session_class)

    def test_peer_says_goodbye(self) -> None:
        """The client ends the session."""
        self.client.send(GOODBYE)
        self.assert_ended("goodbye")

    def test_connection_lost(self) -> None:
        """The connection is lost."""
        self.client.transport.lose()
        self.assert_ended("connection-lost")

    def test_ended_by_the_server(self) -> None:
        """The server ends the session, with its own code."""
        self.session_of(self.client).end("enough", "that was enough")
        self.assert_ended("enough")

    def test_fault(self) -> None:
        """The client sends damaged bytes."""
        self.client.protocol.dataReceived(b"\xff" * 100)
        self.assert_ended("too-large")

    def test_silence(self) -> None:
        """The client is silent for three intervals."""
        for _ in range(400):
            self.factory.clock.advance(0.1)
        self.assert_ended("heartbeat-timeout")

    def test_shutdown(self) -> None:
        """The server shuts down."""
        self.factory.shut_down()
        self.assert_ended("shutting-down")

    def test_slow_consumer(self) -> None:
        """The client does not read."""
        self.client.transport.accept_no_more()
        self.client.protocol.deliver(bytes(9 * 1024 * 1024))
        self.assert_ended("slow-consumer")

    def test_ended_in_its_own_message(self) -> None:
        """The server ends the session while it processes its message."""
        self.factory.message_received = lambda session, message: session.end()
        self.client.say("one", "two")
        self.assert_ended("goodbye")

    def test_never_established(self) -> None:
        """A refused connection has no session, and the server calls no hook."""
        self.steps.clear()
        stranger = greeted_client(self.factory)
        stranger.send(ack(stranger, "alice"))
        self.end_turn()
        stranger.transport.lose()
        self.assertEqual(self.steps, [])

    def test_ended_as_soon_as_established(self) -> None:
        """A session may be ended in its own `established`."""

        class BriefSession(self.session_class):  # type: ignore[name-defined,misc]  # a class anyway
            def established(self) -> None:
                super().established()
                self.end("brief", "that was brief")

        self.factory.session_class = BriefSession
        self.steps.clear()
        client = greeted_client(self.factory)
        client.send(ack(client, "bob"))
        self.end_turn()
        self.assertEqual(
            self.steps, [("established", "bob", True), ("ended", "bob", "brief", False)]
        )
        welcome, end = client.take()
        self.assertEqual((welcome.header["event"], end.header.code), ("welcome", "brief"))


class FailingHooksTests(SessionTests):
    """`established` and `ended` may be async, and they may fail."""

    def connect(self, session_class: type[Session]) -> Peer:
        self.factory.session_class = session_class
        return hand_client(self.factory)

    def test_established_fails(self) -> None:
        """A session whose `established` fails goes on; the log has the failure."""

        class FailingSession(Session):
            def established(self) -> None:
                raise ValueError("no")

        client = self.connect(FailingSession)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        client.say("hello")
        self.end_turn()
        self.assertEqual(client.take_texts(), ["hello"])

    def test_established_waits(self) -> None:
        """The server processes no message before an async `established` has ended."""
        gate: Deferred[None] = Deferred()

        class WaitingSession(Session):
            async def established(self) -> None:
                await gate

        client = self.connect(WaitingSession)
        client.say("hello")
        self.end_turn()
        self.assertEqual(client.take_texts(), [])
        gate.callback(None)
        self.end_turn()
        self.assertEqual(client.take_texts(), ["hello"])

    def test_ended_fails(self) -> None:
        """The log has the failure of an `ended`, and the session is over all the same."""

        class FailingSession(Session):
            def ended(self, reason: SessionEnded) -> None:
                raise ValueError("no")

        self.connect(FailingSession).transport.lose()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(self.factory.sessions, {})

    def test_ended_fails_later(self) -> None:
        """The server logs an async `ended` that fails after waiting, too."""
        gate: Deferred[None] = Deferred()

        class WaitingSession(Session):
            async def ended(self, reason: SessionEnded) -> None:
                await gate

        self.connect(WaitingSession).transport.lose()
        self.assertEqual(self.factory.sessions, {})
        gate.errback(ValueError("no"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)


class SayingTests(SessionTests):
    """Messages from the server to a single session."""

    def setUp(self) -> None:
        super().setUp()
        self.client = hand_client(self.factory)
        self.session = self.session_of(self.client)

    def test_send(self) -> None:
        """A message from the server has an id and a time, and no room."""
        self.factory.clock.advance(3.5)
        self.session.send("hello", content_type="text/x-greeting")
        self.end_turn()
        (message,) = self.client.take()
        self.assertEqual((message.type, message.text), (MessageType.MESSAGE, "hello"))
        self.assertEqual(message.content_type, "text/x-greeting")
        self.assertEqual((message.sender, message.room, message.seq), ("server", None, None))
        self.assertEqual(message.time, 3.5)
        self.assertEqual(len(message.id), 32)

    def test_send_bytes_under_an_id(self) -> None:
        """The server sends bytes and an id unchanged."""
        self.session.send(b"\xff\x00", id="my-id")
        self.end_turn()
        (message,) = self.client.take()
        self.assertEqual((message.content, message.id), (b"\xff\x00", "my-id"))

    def test_reply(self) -> None:
        """A reply bears the message's id."""
        self.session.reply(Message.chat("question", id="q1"), "answer")
        self.end_turn()
        (message,) = self.client.take()
        self.assertEqual((message.id, message.text), ("q1", "answer"))

    def test_order_with_the_room(self) -> None:
        """A message to a session follows its room's earlier messages, in one write."""
        told = self.factory.send_to_room("lobby", "one")
        told.addCallback(lambda _: self.session.send("two"))
        told.addCallback(lambda _: self.factory.send_to_room("lobby", "three"))
        self.end_turn()
        self.assertEqual(self.successResultOf(told).seq, 2)
        self.assertEqual(self.client.count_writes(), 1)
        self.assertEqual(self.client.take_texts(), ["one", "two", "three"])

    def test_order_with_its_own(self) -> None:
        """An answer follows the receipts of the client's earlier messages."""
        self.factory.publish(self.session, Message.chat("one", id="1"))
        self.session.reply(Message.chat("question", id="q1"), "two")
        self.factory.publish(self.session, Message.chat("three", id="3"))
        self.end_turn()
        self.assertEqual(self.client.take_texts(), ["one", "two", "three"])

    def test_too_much(self) -> None:
        """A content over the limit raises an error at once, and the session goes on."""
        self.assertRaises(LocalProtocolError, self.session.send, bytes(101))
        self.session.send(bytes(100))
        self.end_turn()
        self.assertEqual(len(self.client.take()), 1)

    def test_after_the_end(self) -> None:
        """Sending to a session that is over raises its end's reason."""
        self.session.end("enough", "that was enough", retry=True)
        error = self.assertRaises(SessionEnded, self.session.send, "hello")
        self.assertEqual(
            (error.code, error.reason, error.retry), ("enough", "that was enough", True)
        )
        self.assertRaises(SessionEnded, self.session.reply, Message.chat("question"), "answer")

    def test_default_end(self) -> None:
        """A session that is ended without a reason gets a goodbye."""
        self.session.end()
        self.end_turn()
        (end,) = self.client.take()
        self.assertEqual((end.header.code, end.header.retry), ("goodbye", False))

    def test_deliver(self) -> None:
        """A service can deliver any frames, such as the RESULT of a command."""
        result = Message(MessageType.RESULT, {"id": "c1", "sum": 5})
        self.session.deliver(self.factory.codec.encode(result))
        self.end_turn()
        self.assertEqual(self.client.take(), [result])


class KnowingTests(SessionTests):
    """The session's data of its client."""

    def test_each_has_its_own_extra(self) -> None:
        """Each session has its own `extra`."""
        alice = self.session_of(hand_client(self.factory, "alice"))
        bob = self.session_of(hand_client(self.factory, "bob"))
        alice.extra["colour"] = "green"
        self.assertEqual((alice.extra["visits"], bob.extra), (1, {"visits": 1}))

    def test_peer_and_factory(self) -> None:
        """A session knows its client's address and its factory."""
        session = self.session_of(hand_client(self.factory))
        self.assertEqual(getattr(session.peer, "host", None), "192.0.2.1")
        self.assertIs(session.factory, self.factory)

    def test_repr(self) -> None:
        """Its repr shows its name and its id."""
        session = self.session_of(hand_client(self.factory))
        self.assertEqual(repr(session), f"<SteppingSession alice {session.id}>")


class SlowVisitor(Session):
    """A session whose hook waits."""

    gate: ClassVar[Deferred[None]]

    async def established(self) -> None:
        await self.gate
        self.send("welcome")


class SlowVisitorTests(SynchronousTestCase):
    """A hook that still waits when the session ends."""

    def test_session_ends(self) -> None:
        """The end of the session is no failure of its hook, so the log has no line."""

        class SlowFactory(ChatFactory[SlowVisitor]):
            pass

        SlowVisitor.gate = Deferred()
        server = MemoryServer(SlowFactory)
        client = server.connect("alice")
        client.disconnect()
        server.pump()
        with capturedLogs() as events:
            SlowVisitor.gate.callback(None)
        self.assertEqual(events, [])
