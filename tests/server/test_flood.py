"""Tests of the limits for clients: rates, connections, sessions and received bytes."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.server.accounts import Accounts
from chatd.server.limits import Limits
from chatd.server.pace import MAX_ANSWERED, TOKEN_BYTES
from chatd.server.throttle import BURST_S
from chatd.wire.messages import Error, Heartbeat, Message, MessageType, SessionAck
from tests.fakes.handserver import fields_of
from tests.fakes.passwords import SlowChecker
from tests.fakes.peers import (
    GatedStore,
    Peer,
    TlsTransport,
    ack,
    command,
    greeted_client,
    hand_client,
    memory_factory,
    settle,
)


class FloodCase(SynchronousTestCase):
    limits = Limits()

    def setUp(self) -> None:
        self.factory = memory_factory(limits=self.limits)
        self.alice = hand_client(self.factory)

    def advance(self, seconds: float) -> None:
        self.factory.clock.advance(seconds)
        settle(self.factory)

    @property
    def is_read(self) -> bool:
        return self.alice.transport.is_reading


class MessageRateTests(FloodCase):
    """Reading pauses for a client over its rate of messages."""

    limits = Limits(message_rate=10)
    burst = round(10 * BURST_S)

    def say(self, first: int, count: int) -> None:
        self.alice.say(*(str(number) for number in range(first, first + count)))
        settle(self.factory)

    def test_burst(self) -> None:
        """A burst may hold ten seconds' worth, and the server answers all of it."""
        self.say(0, self.burst // 2)
        self.assertTrue(self.is_read)
        self.assertEqual(len(self.alice.take_texts()), self.burst // 2)

    def test_slowed_down(self) -> None:
        """The server answers all messages that it read, and then pauses reading."""
        self.say(0, 2 * self.burst)
        self.assertFalse(self.is_read)
        self.assertEqual(len(self.alice.take_texts()), 2 * self.burst)

    def test_refill(self) -> None:
        """Reading goes on exactly when the client has waited for its excess."""
        self.say(0, 2 * self.burst)
        waited_s = 0.0
        while not self.is_read:
            self.advance(1)
            waited_s += 1
        # Each message counts as one, and its length counts on top.
        self.assertGreaterEqual(waited_s, BURST_S)
        self.assertLess(waited_s, 2 * BURST_S)
        self.say(1000, 11)  # a second's worth, and the rest of the last one
        self.assertFalse(self.is_read)
        self.advance(BURST_S * 2)
        self.assertTrue(self.is_read)
        self.say(2000, self.burst // 2)
        self.assertTrue(self.is_read)

    def test_long_messages(self) -> None:
        """Long messages count for more."""
        self.alice.send(Message.chat(bytes(self.burst * TOKEN_BYTES), id="long"))
        settle(self.factory)
        self.assertFalse(self.is_read)

    def test_others(self) -> None:
        """Other clients are not slowed down."""
        bob = hand_client(self.factory, "bob")
        self.say(0, 2 * self.burst)
        bob.say("hello")
        settle(self.factory)
        self.assertIn("hello", bob.take_texts())
        self.assertTrue(bob.transport.is_reading)

    def test_stays_alive(self) -> None:
        """The server does not take a client that waits for silent."""
        self.factory = memory_factory(limits=self.limits, heartbeat_s=0.1)
        self.alice = hand_client(self.factory)
        self.say(0, 10 * self.burst)
        for _ in range(90):
            self.advance(0.1)
        self.assertFalse(self.is_read)
        self.assertTrue(self.alice.protocol.connection.is_established)

    def test_not_for_ever(self) -> None:
        """With any excess, reading goes on at the latest when the bucket would be full."""
        self.say(0, 100 * self.burst)
        self.advance(BURST_S)
        self.assertTrue(self.is_read)

    def test_gone_meanwhile(self) -> None:
        """A client that leaves while it waits leaves no timer."""
        self.say(0, 2 * self.burst)
        self.alice.transport.lose()
        settle(self.factory)
        self.assertEqual(self.factory.clock.getDelayedCalls(), [])

    def test_ended_meanwhile(self) -> None:
        """A session that ends while it waits gets the reason, and is read to its end."""
        self.say(0, 2 * self.burst)
        self.alice.take()
        self.alice.protocol.end_session("kicked", "too loud")
        settle(self.factory)
        self.assertEqual(self.alice.take()[-1].header.code, "kicked")
        self.assertTrue(self.is_read)


class NoRateTests(FloodCase):
    """A rate of 0 slows no client down."""

    limits = Limits(message_rate=0, command_rate=0)

    def test_read_on(self) -> None:
        """Reading goes on for any number of messages and commands."""
        self.alice.say(*(str(number) for number in range(1000)))
        self.alice.send(*(command("who", id=f"w{each}", room="lobby") for each in range(1000)))
        for _ in range(200):
            settle(self.factory)
        self.assertEqual(len(self.alice.take()), 2000)
        self.assertTrue(self.is_read)


class CommandRateTests(FloodCase):
    """Commands have a rate of their own."""

    limits = Limits(command_rate=2)
    burst = round(2 * BURST_S)

    def ask(self, count: int) -> None:
        self.alice.send(*(command("who", id=str(each), room="lobby") for each in range(count)))
        settle(self.factory)

    def answered(self) -> int:
        return sum(told.type == MessageType.RESULT for told in self.alice.take())

    def test_burst(self) -> None:
        """Ten seconds' worth of commands run at once."""
        self.ask(self.burst)
        self.assertEqual(self.answered(), self.burst)
        self.assertTrue(self.is_read)

    def test_refill(self) -> None:
        """After that, commands run at their rate, and all of them run."""
        self.ask(self.burst + 4)
        self.assertEqual(self.answered(), self.burst + 1)
        self.assertFalse(self.is_read)
        done = []
        for _ in range(4):
            self.advance(0.5)
            done.append(self.answered())
        self.assertEqual(done, [1, 1, 1, 0])
        self.assertTrue(self.is_read)

    def test_messages_too(self) -> None:
        """Messages after the commands wait for their turn."""
        self.ask(self.burst + 1)
        self.alice.say("hello")
        settle(self.factory)
        self.assertEqual(self.alice.take_texts(), [])
        self.advance(0.5)
        self.assertEqual(self.alice.take_texts(), ["hello"])


class AnsweredTests(FloodCase):
    """The server answers frames with individual answers a few in each turn."""

    limits = Limits(message_rate=1000)

    def ping(self, count: int) -> None:
        pings = (Message(MessageType.HEARTBEAT, Heartbeat(n), b"ping") for n in range(count))
        self.alice.send(*pings)

    def test_in_turns(self) -> None:
        """Other clients have their turn in between; in the end the server answers all frames."""
        self.ping(3 * MAX_ANSWERED)
        self.factory.engine.turn.flush()
        self.assertEqual(len(self.alice.take()), MAX_ANSWERED)
        self.assertFalse(self.is_read)
        settle(self.factory)
        self.assertEqual(len(self.alice.take()), 2 * MAX_ANSWERED)
        self.assertTrue(self.is_read)

    def test_unknown_types(self) -> None:
        """The server answers frames of unknown types a few in each turn."""
        self.alice.send(*(Message(999, {}) for _ in range(2 * MAX_ANSWERED)))
        self.factory.engine.turn.flush()
        self.assertEqual(len(self.alice.take()), MAX_ANSWERED)

    def test_pongs_and_errors(self) -> None:
        """The server takes unexpected pongs and errors as slowly, and logs only the first error."""
        error = Message(MessageType.ERROR, Error(code="a" * 1000))
        for frame in (Message(MessageType.HEARTBEAT, Heartbeat(1), b"pong"), error):
            with capturedLogs() as events:
                self.alice.send(*(frame for _ in range(2 * MAX_ANSWERED)))
                self.assertFalse(self.is_read)
                settle(self.factory)
            self.assertTrue(self.is_read)
        self.assertLess(len("".join(filter(None, map(formatEvent, events)))), 200)

    def test_counted(self) -> None:
        """They count as messages."""
        for _ in range(11):
            self.ping(round(1000 * BURST_S / 10))
            settle(self.factory)
        self.assertFalse(self.is_read)


class BeforeTests(SynchronousTestCase):
    """Before the session, the server answers almost no frame."""

    def test_pings(self) -> None:
        """The server refuses a client that pings instead of answering the greeting."""
        server = memory_factory()
        client = greeted_client(server)
        pings = (Message(MessageType.HEARTBEAT, Heartbeat(n), b"ping") for n in range(1000))
        client.send(*pings)
        settle(server)
        told = client.take()
        self.assertEqual(len(told), MAX_ANSWERED + 1)
        self.assertEqual(told[-1].header.code, "overloaded")

    def test_pongs_and_errors(self) -> None:
        """So is a client that sends as many pongs or errors."""
        error = Message(MessageType.ERROR, Error(code="odd"))
        for frame in (Message(MessageType.HEARTBEAT, Heartbeat(1), b"pong"), error):
            server = memory_factory()
            client = greeted_client(server)
            client.send(*(frame for _ in range(MAX_ANSWERED)))
            settle(server)
            self.assertEqual([told.header.code for told in client.take()], ["overloaded"])


class LongCommandTests(FloodCase):
    """A long command is followed by a pause."""

    def test_pause(self) -> None:
        """Other clients get more of the time than a client with long commands."""
        clock, done = self.factory.clock, []

        def command_received(session: object, asked: Message) -> None:
            clock.rightNow += 0.1  # the work takes so long
            done.append(fields_of(asked)["id"])

        self.factory.command_received = command_received
        self.alice.send(*(command("who", id=str(each)) for each in range(2)))
        settle(self.factory)
        self.assertEqual(done, ["0"])
        clock.advance(0.39)
        self.assertEqual(done, ["0"])
        clock.advance(0.02)
        self.assertEqual(done, ["0", "1"])


class CrowdTests(SynchronousTestCase):
    """The numbers of connections and sessions are bounded."""

    def factory(self, accounts: Accounts | None = None, **limits: Any) -> None:
        self.server = memory_factory(limits=Limits(**limits), accounts=accounts)

    def last_word(self, client: Peer) -> tuple[str, bool]:
        settle(self.server)
        header = client.take()[-1].header
        return header.code, header.retry

    def test_too_many_sessions(self) -> None:
        """Clients beyond the limit of sessions get an end that invites them to come back."""
        self.factory(max_sessions=2)
        hand_client(self.server, "alice")
        bob = hand_client(self.server, "bob")
        cat = greeted_client(self.server)
        cat.send(ack(cat, "cat"))
        self.assertEqual(self.last_word(cat), ("too-many-sessions", True))
        bob.transport.lose()
        settle(self.server)
        self.assertEqual(hand_client(self.server, "cat").protocol.session.name, "cat")

    def test_too_many_of_an_address(self) -> None:
        """Each address has a limit; another address still has its own."""
        self.factory(max_sessions_per_address=1)
        hand_client(self.server, "alice")
        bob = greeted_client(self.server)
        bob.send(ack(bob, "bob"))
        self.assertEqual(self.last_word(bob), ("too-many-sessions", True))
        cat = greeted_client(self.server)
        cat.transport.getPeer = lambda: IPv4Address("TCP", "192.0.2.2", 1)
        cat.send(ack(cat, "cat"))
        settle(self.server)
        self.assertEqual(len(self.server.sessions), 2)

    def test_let_in_at_once(self) -> None:
        """Clients whose passwords are checked together cannot exceed the limit."""
        checker = SlowChecker()
        self.factory(max_sessions=1, accounts=Accounts(Clock(), [checker]))
        clients = [greeted_client(self.server, TlsTransport) for _ in range(2)]
        for client, name in zip(clients, ("alice", "bob"), strict=True):
            id = client.protocol.connection.session_id
            header = SessionAck(session_id=id, name=name, password="x")
            client.send(Message(MessageType.SESSION_ACK, header))
        for account in (b"alice", b"bob"):
            checker.answer(account)
        settle(self.server)
        self.assertEqual([each.name for each in self.server.sessions.values()], ["alice"])
        self.assertEqual(self.last_word(clients[1]), ("too-many-sessions", True))
        self.assertEqual(list(self.server.hub.roster.here), ["alice"])

    def test_too_many_unestablished(self) -> None:
        """The oldest connection without a session makes room for a new connection."""
        self.factory(max_unestablished=2)
        first, second, third = (greeted_client(self.server) for _ in range(3))
        self.assertEqual(self.last_word(first), ("overloaded", True))
        for client, name in ((second, "bob"), (third, "cat")):
            client.send(ack(client, name))
        settle(self.server)
        self.assertEqual(len(self.server.sessions), 2)

    def test_those_that_do_not_go(self) -> None:
        """Of the refused connections that stay open, the oldest is aborted."""
        self.factory(max_unestablished=1)
        clients = [greeted_client(self.server) for _ in range(3)]
        settle(self.server)
        self.assertEqual(clients[0].transport.ends, ["half-close", "abort"])
        self.assertEqual(clients[1].transport.ends, ["half-close"])

    def test_handshake_timeout(self) -> None:
        """The operator can set the time until a session is established."""
        self.factory(handshake_timeout_s=3)
        client = greeted_client(self.server)
        self.server.clock.advance(2.9)
        self.assertEqual(client.take(), [])
        self.server.clock.advance(0.1)
        self.assertEqual(self.last_word(client), ("handshake-timeout", True))

    def test_first_frame(self) -> None:
        """The operator can set the size of the first frame."""
        self.factory(max_first_frame=600)
        client = greeted_client(self.server)
        client.protocol.dataReceived((601).to_bytes(4, "big"))
        self.assertEqual(self.last_word(client), ("too-large", False))

    def test_waiting(self) -> None:
        """The operator can set the bytes that may wait for a client; a message may wait on top."""
        self.factory(max_waiting=1000)
        client = hand_client(self.server)
        client.transport.accept_no_more()
        most = 1000 + self.server.codec.max_frame
        client.protocol.deliver(bytes(most))
        settle(self.server)
        self.assertTrue(client.protocol.session.is_active)
        client.protocol.deliver(b"x")
        settle(self.server)
        self.assertFalse(client.protocol.session.is_active)


class ArrivingTests(SynchronousTestCase):
    """The bytes of incomplete frames are bounded for all clients together."""

    def setUp(self) -> None:
        self.factory = memory_factory(limits=Limits(max_arriving=100_000))
        self.frame = self.factory.codec.encode(Message.chat(bytes(200_000), id="long"))

    def test_the_oldest_goes(self) -> None:
        """The client with the oldest incomplete frame gets an end that invites it to come back."""
        alice, bob = (hand_client(self.factory, name) for name in ("alice", "bob"))
        alice.protocol.dataReceived(self.frame[:60_000])
        settle(self.factory)
        bob.protocol.dataReceived(self.frame[:60_000])
        settle(self.factory)
        self.assertEqual(alice.take()[-1].header.code, "overloaded")
        self.assertEqual(alice.protocol.connection.held_bytes, 0)
        self.assertTrue(bob.protocol.session.is_active)

    def test_whole(self) -> None:
        """Completed frames no longer count."""
        alice = hand_client(self.factory)
        small = self.factory.codec.encode(Message.chat(bytes(60_000), id="short"))
        for _ in range(5):
            alice.protocol.dataReceived(small[:50_000])
            alice.protocol.dataReceived(small[50_000:])
        settle(self.factory)
        self.assertEqual(self.factory.engine.connections.arriving_bytes, 0)
        self.assertTrue(alice.protocol.session.is_active)

    def test_acted_on_later(self) -> None:
        """Messages that wait for the store, or had their effect, do not count."""
        store = GatedStore()
        factory = memory_factory(store=store, limits=Limits(max_in_work=1))
        alice = hand_client(factory)
        alice.say("one", "two", "three")
        self.assertEqual(factory.engine.connections.arriving_bytes, 0)
        self.assertGreater(alice.protocol.connection.held_bytes, 0)
        for _ in range(3):
            settle(factory)
            store.answer()
        settle(factory)
        self.assertEqual(alice.take_texts(), ["one", "two", "three"])
        self.assertEqual(factory.engine.connections.arriving_bytes, 0)

    def test_too_fast(self) -> None:
        """Messages over the rate count until their time has come."""
        factory = memory_factory(limits=Limits(command_rate=1))
        alice = hand_client(factory)
        alice.send(*(command("who", id=f"{each}", room="lobby") for each in range(13)))
        settle(factory)
        held = [factory.engine.connections.arriving_bytes]
        for _ in range(3):
            factory.clock.advance(1)
            settle(factory)
            held.append(factory.engine.connections.arriving_bytes)
        self.assertGreater(held[0], 0)
        self.assertEqual(held[-1], 0)

    def test_lost(self) -> None:
        """The bytes of a lost connection are freed, even if it is still referenced."""
        alice = hand_client(self.factory)
        alice.protocol.dataReceived(self.frame[:60_000])
        alice.transport.lose()
        self.assertEqual(self.factory.engine.connections.arriving_bytes, 0)
        self.assertEqual(alice.protocol.connection.held_bytes, 0)
