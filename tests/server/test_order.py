"""Tests of the order of a session's messages, and of the messages that it still gets at its end."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import RequestError, SessionEnded
from chatd.server.factory import ChatFactory
from chatd.server.session import Session
from chatd.testing import MemoryServer
from chatd.transport.flush import Turn
from chatd.wire.messages import Message, MessageType
from tests.fakes.peers import hand_client
from tests.wire.hostile import NO_FRAME


class PickyFactory(ChatFactory):
    """Refuses some messages."""

    def message_received(self, session: Session, message: Message) -> None:
        if message.text == "bad":
            raise RequestError("too-bad", "no")
        self.publish(session, message)


class OrderTests(SynchronousTestCase):
    """A session gets everything in the order in which it happened."""

    def setUp(self) -> None:
        self.server = MemoryServer(PickyFactory)
        self.client = self.server.connect("alice")
        self.told: list[str] = []
        client: Any = self.client
        client.message_received = lambda message, _: self.told.append(message.text)
        client.error_received = lambda error: self.told.append(error.code)

    def tell_of(self, sending: Deferred[Message]) -> None:
        def note(failure: Failure) -> None:
            self.told.append(failure.value.code)

        sending.addErrback(note)

    def test_error_after_receipt(self) -> None:
        """A refusal follows the receipts of earlier messages."""
        for text in ("one", "bad", "two"):
            self.tell_of(self.client.send(text))
        self.server.pump()
        self.assertEqual(self.told, ["one", "too-bad", "two"])

    def test_bad_request_after_receipt(self) -> None:
        """The refusal of a header follows the receipts, too."""
        self.client.send("one")
        self.client.connection.send(MessageType.COMMAND, {"id": "c1"})
        self.server.pump()
        self.assertEqual(self.told, ["one", "bad-request"])

    def test_receipt_before_a_fault(self) -> None:
        """A client that breaks the protocol still gets the receipts of its earlier messages."""
        receipt = self.client.send("one")
        self.client.connection.queue_frames(NO_FRAME)
        self.server.pump()
        self.assertEqual(self.successResultOf(receipt).text, "one")
        self.assertEqual(self.client.connection.end_reason.code, "bad-length")


class HalfClosedTests(SynchronousTestCase):
    """A peer that has closed its sending half."""

    def test_gets_its_receipts(self) -> None:
        """It still gets its answers, and then its session ends."""
        server = MemoryServer()
        other = server.connect("bob")
        peer = hand_client(server.factory, "alice")
        numbers = [str(number) for number in range(100)]
        peer.say(*numbers)
        peer.protocol.readConnectionLost()
        self.assertEqual(peer.take_texts(), numbers)
        self.assertEqual(peer.transport.ends, ["close"])
        self.assertEqual([session.name for session in server.factory.sessions.values()], ["bob"])
        self.assertTrue(other.is_active)
        server.advance(6)
        self.assertEqual(peer.transport.ends, ["close", "abort"])

    def test_reads_slowly(self) -> None:
        """The client gets them even if it reads slowly; only then does the connection close."""
        server = MemoryServer()
        peer = hand_client(server.factory, "alice")
        peer.transport.accept_no_more()
        texts = [str(number) * 100_000 for number in range(10)]
        peer.send(*(Message.chat(text) for text in texts))
        peer.protocol.readConnectionLost()
        self.assertEqual(peer.transport.ends, [])
        for _ in range(20):
            peer.transport.accept_again()
        self.assertEqual(peer.transport.ends, ["close"])
        self.assertEqual(peer.take_texts(), texts)

    def test_after_the_end(self) -> None:
        """A client answers the end of its session by closing its sending half."""
        server = MemoryServer()
        peer = hand_client(server.factory, "alice")
        next(iter(server.factory.sessions.values())).end()
        server.pump()
        peer.protocol.writeConnectionLost()
        peer.protocol.readConnectionLost()
        self.assertEqual(peer.transport.ends, ["half-close", "close"])


class StalledTests(SynchronousTestCase):
    """A peer for which so many bytes wait that reading from it pauses."""

    def setUp(self) -> None:
        self.server = MemoryServer(heartbeat_s=1.0)
        self.peer = hand_client(self.server.factory, "slow")
        self.peer.transport.accept_no_more()
        self.speaker = self.server.connect("speaker")
        for _ in range(20):
            self.speaker.send(bytes(100_000))
        self.server.pump()

    def test_is_held(self) -> None:
        """Reading from it pauses."""
        self.assertFalse(self.peer.transport.is_reading)

    def test_reads_slowly(self) -> None:
        """It lives as long as it reads, though its pongs are not read."""
        for _ in range(10):
            self.server.advance(2)
            self.peer.transport.accept_again()
            self.peer.transport.accept_no_more()
        self.assertEqual(self.peer.transport.ends, [])

    def test_does_not_read(self) -> None:
        """The server disconnects a peer that does not read at all."""
        self.server.advance(5)
        self.assertEqual(self.peer.transport.ends, ["half-close"])
        self.assertEqual(self.peer.take()[-1].header.code, "slow-consumer")
        self.assertTrue(self.speaker.is_active)


class ArrivalTests(SynchronousTestCase):
    """`when_active`."""

    def setUp(self) -> None:
        self.server = MemoryServer()

    def test_there_already(self) -> None:
        """It fires at once for a client that has a session."""
        client = self.server.connect("alice")
        arrival = self.server.factory.when_active("ALICE")
        self.assertEqual(self.successResultOf(arrival).id, client.session_id)

    def test_after_established(self) -> None:
        """The Deferred fires when the session's `established` has ended."""
        gate: Deferred[None] = Deferred()

        class SlowSession(Session):
            async def established(self) -> None:
                await gate
                self.extra["is"] = "set"

        factory: Any = self.server.factory
        factory.session_class = SlowSession
        arrival = self.server.factory.when_active("alice")
        self.server.connect("alice")
        self.assertNoResult(arrival)
        gate.callback(None)
        self.assertEqual(self.successResultOf(arrival).extra, {"is": "set"})

    def test_shut_down(self) -> None:
        """It fails when the server shuts down first."""
        arrival = self.server.factory.when_active("alice")
        self.server.factory.shut_down()
        self.assertEqual(self.failureResultOf(arrival, SessionEnded).value.code, "shutting-down")

    def test_cancelled(self) -> None:
        """It may be cancelled; other callers wait on."""
        first, second = (self.server.factory.when_active("alice") for _ in range(2))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.server.connect("alice")
        self.assertEqual(self.successResultOf(second).name, "alice")

    def test_started_again(self) -> None:
        """A server that was shut down accepts clients again when it listens again."""
        self.successResultOf(self.server.factory.shut_down())
        self.assertIsNone(self.server.factory.buildProtocol(None))
        self.server.factory.startFactory()
        self.assertTrue(self.server.connect("alice").is_active)


class Failing:
    """Fails to flush.

    Attributes:
        is_told: Whether it was told of its failure.
    """

    is_told = False

    def flush(self) -> None:
        raise KeyError("flush")

    def fail(self) -> None:
        self.is_told = True

    def tick(self, now: float) -> None:
        raise KeyError(now)


class IsolationTests(SynchronousTestCase):
    """A failing receiver does no harm to the others."""

    def test_flush(self) -> None:
        """The next receiver gets its flush; the failing receiver gets its failure."""
        server = MemoryServer()
        turn: Turn = server.factory.engine.turn
        failing = Failing()
        turn.add(failing)
        receipt = server.connect("alice").send("hello")
        server.pump()
        self.assertEqual(self.successResultOf(receipt).text, "hello")
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.assertTrue(failing.is_told)

    def test_tick(self) -> None:
        """The next receiver is ticked, again and again."""
        server = MemoryServer(heartbeat_s=1.0)
        server.factory.engine.registry._wheel.add(Failing())
        client = server.connect("alice")
        server.advance(10)
        self.assertTrue(client.is_active)
        self.assertGreaterEqual(len(self.flushLoggedErrors(KeyError)), 9)
