"""Tests of `chatd.server.readbudget`, and of clients whose long reads wait for others' turn."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.connection.client import ClientConnection
from chatd.connection.events import Run
from chatd.server.factory import ChatFactory
from chatd.server.limits import Limits
from chatd.server.pacedprotocol import SHORT_BYTES
from chatd.server.readbudget import ReadBudget
from chatd.server.session import Session
from chatd.server.turnbudget import MOST_S
from chatd.wire.channel import SecureChannel
from chatd.wire.codec import Codec
from chatd.wire.keys import noise_psk
from chatd.wire.messages import Disconnect, Message, MessageType
from tests.fakes.peers import GatedStore, Peer, SocketTransport, hand_client
from tests.fakes.reactors import TurnClock

KEY = bytes(range(32))
TEXTS = [f"a{number:02}" for number in range(100)]


class ReadBudgetTests(SynchronousTestCase):
    """Who has to wait."""

    def test_bytes(self) -> None:
        """Only so many bytes wait; beyond that, a read need not wait."""
        clock = TurnClock()
        budget = ReadBudget(clock, 100, 1.0)
        budget.spend(1)
        self.assertIsNotNone(budget.ask_to_read(60))
        self.assertIsNone(budget.ask_to_read(41))
        self.assertIsNotNone(budget.ask_to_read(40))
        clock.turn()
        self.assertIsNone(budget.ask_to_read(100))
        budget.spend(1)
        self.assertIsNotNone(budget.ask_to_read(100))

    def test_clock_set_back(self) -> None:
        """A clock that is set back gives nobody more time, or less."""
        budget = ReadBudget(TurnClock(), 100, 1.0)
        budget.spend(-1000)
        budget.spend(1)
        self.assertIsNotNone(budget.ask_to_read(1))


class SharedCase(SynchronousTestCase):
    """Two clients, in a turn in which long reads have taken long."""

    factory_class: type[ChatFactory] = ChatFactory

    def setUp(self) -> None:
        self.serve()

    def serve(self, **options: Any) -> None:
        self.clock = TurnClock()
        self.factory: Any = self.factory_class(self.clock, unix_time=self.clock.seconds, **options)
        self.budget = self.factory.engine.read_budget
        self.alice, self.bob = (hand_client(self.factory, name) for name in ("alice", "bob"))
        self.clock.finish()
        for client in (self.alice, self.bob):
            client.take()

    def heard(self) -> list[str]:
        """Make turns until nothing is left to do, and return what was said."""
        self.clock.finish()
        return self.bob.take_texts()

    def bytes_of(self, *texts: str) -> bytes:
        return b"".join(self.alice.codec.encode(Message.chat(text, id=text)) for text in texts)


class LongReadTests(SharedCase):
    """Long reads wait for the next turn, first come, first served."""

    def setUp(self) -> None:
        super().setUp()
        self.assertGreater(len(self.bytes_of(*TEXTS)), SHORT_BYTES)
        self.budget.spend(MOST_S)

    def test_others(self) -> None:
        """Another client's message goes before a long read, of which nothing is lost."""
        self.alice.say(*TEXTS)
        self.bob.say("hello")
        self.assertFalse(self.alice.transport.is_reading)
        self.assertTrue(self.bob.transport.is_reading)
        self.assertEqual(self.heard(), ["hello", *TEXTS])
        self.assertTrue(self.alice.transport.is_reading)

    def test_in_order(self) -> None:
        """The long reads of two clients are acted on in the order in which they came."""
        others = [text.replace("a", "b") for text in TEXTS]
        self.bob.say(*others)
        self.alice.say(*TEXTS)
        self.assertEqual(self.heard(), others + TEXTS)

    def test_time_left(self) -> None:
        """In other turns, a long read is acted on at once."""
        self.clock.turn()
        self.alice.say(*TEXTS)
        self.assertTrue(self.alice.transport.is_reading)
        self.assertEqual(self.heard(), TEXTS)

    def test_more_arrives(self) -> None:
        """What a TLS connection gives on while it is paused comes after that."""
        data = self.bytes_of(*TEXTS)
        self.alice.protocol.dataReceived(data[:-10])
        self.alice.protocol.dataReceived(data[-10:])
        self.assertEqual(self.heard(), TEXTS)

    def test_behind_the_store(self) -> None:
        """The rest of a read that has waited for the store waits for others' turn, too."""
        store = GatedStore()
        self.serve(store=store, limits=Limits(max_in_work=10))
        self.alice.say(*TEXTS)
        self.clock.finish()
        self.budget.spend(MOST_S)
        store.answer()
        self.assertEqual(len(store.batches), 1)
        arriving = self.factory.engine.connections.arriving_bytes
        self.assertEqual(arriving, len(self.bytes_of(*TEXTS[10:])))
        self.bob.say("hello")
        self.clock.finish()
        while store.is_asked:
            store.answer()
            self.clock.finish()
        self.assertEqual(self.bob.take_texts()[:11], [*TEXTS[:10], "hello"])

    def test_clean_end(self) -> None:
        """A client that says goodbye behind its messages leaves after them."""
        goodbye = self.alice.codec.encode(
            Message(MessageType.DISCONNECT, Disconnect(code="goodbye", reason=""))
        )
        self.alice.protocol.dataReceived(self.bytes_of(*TEXTS) + goodbye)
        self.assertEqual(self.heard(), TEXTS)
        self.assertEqual([each.name for each in self.factory.sessions.values()], ["bob"])

    def test_lost(self) -> None:
        """What had arrived before the end of a connection is acted on; TLS may tell it early."""
        self.alice.say(*TEXTS)
        self.alice.transport.lose()
        self.assertEqual(self.heard(), TEXTS)
        self.assertEqual([each.name for each in self.factory.sessions.values()], ["bob"])
        self.assertEqual(self.factory.engine.connections.arriving_bytes, 0)
        self.assertIsNone(self.budget.ask())

    def test_lost_and_failed(self) -> None:
        """The session ends even if its last data cannot be processed."""
        self.alice.say(*TEXTS)
        self.patch(self.factory.engine.hub, "say", self.fail_now)
        self.alice.transport.lose()
        self.assertEqual([each.name for each in self.factory.sessions.values()], ["bob"])
        self.assertEqual(len(self.factory.engine.connections), 1)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def fail_now(self, *arguments: object) -> None:
        raise KeyError("no")

    def test_end_of_an_ended_session(self) -> None:
        """A connection that the client closes after its session closes at once."""
        self.alice.say(*TEXTS)
        self.alice.protocol.end_session("kicked", "out")
        self.factory.engine.turn.flush()
        self.assertEqual(self.alice.transport.ends, ["half-close"])
        self.alice.protocol.readConnectionLost()
        self.assertEqual(self.alice.transport.ends, ["half-close", "close"])

    def test_finished(self) -> None:
        """A client that has sent all is not read again, and has its answers before it is closed."""
        self.alice.say(*TEXTS)
        self.alice.protocol.readConnectionLost()
        self.assertEqual(self.heard(), TEXTS)
        self.assertFalse(self.alice.transport.is_reading)
        self.assertEqual(self.alice.take_texts(), TEXTS)
        self.assertEqual(self.alice.transport.ends, ["close"])

    def test_ended(self) -> None:
        """What a client sends after its session does not wait, and does not count."""
        self.alice.transport.accept_no_more()
        self.alice.protocol.end_session("kicked", "out")
        self.alice.protocol.dataReceived(bytes(2 * SHORT_BYTES))
        self.assertEqual(self.factory.engine.connections.arriving_bytes, 0)
        self.assertIsNone(self.alice.protocol._work)

    def test_bytes_count(self) -> None:
        """Bytes that wait count as arrived; if too many do, nobody waits."""
        data = self.bytes_of(*TEXTS)
        self.serve(limits=Limits(max_arriving=2 * len(data) + 1))
        self.budget.spend(MOST_S)
        self.alice.say(*TEXTS)
        self.assertEqual(self.factory.engine.connections.arriving_bytes, len(data))
        self.bob.say(*(text.replace("a", "b") for text in TEXTS))
        self.assertTrue(self.bob.transport.is_reading)
        heard = self.heard()
        self.assertEqual((heard[0], heard[-1]), ("b00", "a99"))
        self.assertEqual(self.factory.engine.connections.arriving_bytes, 0)


class SecureClient:
    """A client with a key, driven by hand."""

    def __init__(self, factory: Any, name: str) -> None:
        self.channel = SecureChannel(noise_psk(KEY), initiator=False)
        self.connection = ClientConnection(Codec(KEY), self.channel, 0.0, name=name)
        self.protocol = factory.buildProtocol(None)
        self.transport = SocketTransport(self.protocol)
        self._taken = 0
        self.protocol.makeConnection(self.transport)
        while not self.connection.is_established:
            factory.clock.finish()
            self.texts()
            self.protocol.dataReceived(self.connection.data_to_send())

    def texts(self) -> list[str]:
        """Read what the server has sent, and return the texts of the messages in it."""
        data = b"".join(self.transport.writes[self._taken :])
        self._taken = len(self.transport.writes)
        self.connection.receive_data(data)
        runs = [each for each in self.connection.events() if isinstance(each, Run)]
        return [message.text for run in runs for message in run.messages]

    def send_records(self, *pieces: bytes) -> None:
        """Send a record with each piece of the stream, all together."""
        cipher: Any = self.channel._sending
        records = map(cipher.encrypt, pieces)
        self.protocol.dataReceived(b"".join(len(r).to_bytes(2, "big") + r for r in records))


class RecordTests(SynchronousTestCase):
    """Clients with a key, whose records carry no complete message."""

    def test_others(self) -> None:
        """Another client's message goes before many records, and before the message in them."""
        factory: Any = ChatFactory(TurnClock(), key=KEY, unix_time=lambda: 0.0)
        alice, bob = (SecureClient(factory, name) for name in ("alice", "bob"))
        factory.engine.read_budget.spend(MOST_S)
        slow, quick = (Codec(KEY).encode(Message.chat(each, id=each)) for each in ("slow", "quick"))
        alice.send_records(slow[:-1], *[b""] * SHORT_BYTES, slow[-1:])
        self.assertFalse(alice.transport.is_reading)
        bob.send_records(quick)
        factory.clock.finish()
        self.assertEqual(bob.texts(), ["quick", "slow"])
        self.assertTrue(alice.transport.is_reading)


class SlowFactory(ChatFactory):
    """Takes some time for each message, or waits.

    Attributes:
        waits: What `message_received` returns instead of publishing, if there are any.
        began: The first letters of the messages that it got.
    """

    clock: Any
    began: list[str]
    waits: list[Deferred[None]]

    def message_received(self, session: Session, message: Message) -> Deferred[None] | None:
        self.began.append(message.text[:2])
        self.clock.rightNow += MOST_S
        if self.waits:
            return self.waits.pop(0)
        self.publish(session, message)
        return None


class MeasuredTests(SharedCase):
    """Which time counts."""

    factory_class = SlowFactory

    def serve(self, **options: Any) -> None:
        super().serve(**options)
        self.factory.began, self.factory.waits = [], []

    def say_long(self, client: Peer, *texts: str) -> None:
        """Send messages that together are a long read."""
        padding = "x" * (SHORT_BYTES // len(texts))
        client.send(*(Message.chat(text + padding, id=text) for text in texts))

    def test_reads(self) -> None:
        """A long read uses up the turn, and the next long read waits."""
        self.say_long(self.alice, "a1", "a2")
        self.say_long(self.bob, "b1", "b2")
        self.assertEqual(self.factory.began, ["a1", "a2"])
        self.clock.finish()
        self.assertEqual(self.factory.began, ["a1", "a2", "b1", "b2"])

    def test_reads_that_waited(self) -> None:
        """In each turn, as many reads that waited are acted on as the time allows."""
        self.budget.spend(MOST_S)
        self.say_long(self.alice, "a1", "a2")
        self.say_long(self.bob, "b1", "b2")
        self.clock.turn()
        self.assertEqual(self.factory.began, ["a1", "a2"])
        self.clock.turn()
        self.assertEqual(self.factory.began, ["a1", "a2", "b1", "b2"])

    def test_short_reads(self) -> None:
        """The time of a short read does not count."""
        self.alice.say("one")
        self.assertIsNone(self.budget.ask())

    def test_after_a_wait(self) -> None:
        """The time of data that waited for a hook counts."""
        waiting: Deferred[None] = Deferred()
        self.factory.waits = [waiting]
        self.alice.say("a1", "a2")
        self.clock.finish()
        self.assertIsNone(self.budget.ask())
        waiting.callback(None)
        self.assertEqual(self.factory.began, ["a1", "a2"])
        self.assertIsNotNone(self.budget.ask())

    def test_failed_hook(self) -> None:
        """A failure of this side ends the session at once, whatever waits."""
        self.factory.waits = [Deferred()]
        self.say_long(self.alice, "a1", *TEXTS)
        self.budget.spend(MOST_S)
        self.alice.protocol._go_on(Failure(KeyError("no")))
        self.assertEqual(self.factory.began, ["a1"])
        self.assertEqual(self.alice.protocol.connection.end_reason.code, "internal-error")
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
