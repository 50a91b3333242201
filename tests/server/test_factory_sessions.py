"""Tests of a server's sessions together: heartbeats, slow members, arrivals and the shutdown."""

from __future__ import annotations

from chatd.transport.closing import CLOSE_TIMEOUT_S
from chatd.transport.protocol import MAX_PENDING
from chatd.wire.messages import MessageType
from tests.fakes.peers import greeted_client, memory_factory, pong
from tests.server.cases import FactoryCase, count_encodings

MIB = 1024 * 1024


class HeartbeatTests(FactoryCase):
    """All sessions' heartbeats share a single call of the clock."""

    def test_one_call_for_all(self) -> None:
        """Idle sessions need a single call of the clock together."""
        self.clients(*(f"client-{number}" for number in range(60)))
        self.assertEqual(len(self.factory.clock.getDelayedCalls()), 1)

    def test_pings(self) -> None:
        """Each client is pinged once an interval, and a client that answers stays."""
        (alice,) = self.clients("alice")
        pings = 0
        for _ in range(20 * 50 + 25):  # half an interval more, as the clock's sums are not exact
            self.factory.clock.advance(0.1)
            for ping in alice.take():
                self.assertEqual((ping.type, ping.content), (MessageType.HEARTBEAT, b"ping"))
                pings += 1
                alice.send(pong(ping.header.n))
        self.assertEqual(pings, 20)
        self.assertEqual(len(self.factory.sessions), 1)

    def test_stall_is_nobodys_silence(self) -> None:
        """If the server itself stood still for a minute, no client is ended for that."""
        self.clients("alice", "bob")
        self.factory.clock.advance(60)
        self.assertEqual(len(self.factory.sessions), 2)


class SlowMemberTests(FactoryCase):
    """The server cuts off a member that does not read, which delays no other."""

    def test_slow_member(self) -> None:
        """It gets `slow-consumer` and is cut off after five seconds; the others get everything."""
        self.factory = memory_factory(max_content=MIB)
        slow, quick = self.clients("slow", "quick")
        slow.transport.accept_no_more()
        count = 2 * MAX_PENDING // MIB
        for _ in range(count):
            self.factory.send_to_room("lobby", bytes(MIB))
            self.end_turn()
        self.assertEqual(len(quick.take_texts()), count)
        (end,) = slow.take()
        self.assertEqual((end.header.code, end.header.retry), ("slow-consumer", True))
        self.assertEqual([session.name for session in self.factory.sessions.values()], ["quick"])
        self.factory.clock.advance(CLOSE_TIMEOUT_S)
        self.assertEqual(slow.transport.ends, ["half-close", "abort"])
        self.assertEqual(quick.transport.ends, [])

    def test_largest_message_may_wait(self) -> None:
        """A single message of the largest allowed size may wait."""
        self.factory = memory_factory()
        slow, _ = self.clients("slow", "quick")
        slow.transport.accept_no_more()
        self.factory.send_to_room("lobby", bytes(self.factory.codec.max_content))
        self.end_turn()
        slow.transport.accept_again()
        self.end_turn()
        self.assertEqual(len(slow.take_texts()), 1)


class ArrivalTests(FactoryCase):
    """`when_active` gives the session of a client."""

    def test_there_already(self) -> None:
        """A caller gets the session of a present client at once, in any case of its name."""
        self.clients("alice")
        session = self.successResultOf(self.factory.when_active("Alice"))
        self.assertEqual(session.name, "alice")

    def test_comes_later(self) -> None:
        """All callers that wait for a client get its session when it comes, and no other."""
        self.clients("bob")
        waiting = [self.factory.when_active("alice"), self.factory.when_active("ALICE")]
        self.clients("carol")
        for waiter in waiting:
            self.assertNoResult(waiter)
        self.clients("alice")
        for waiter in waiting:
            self.assertTrue(self.successResultOf(waiter).is_active)


class ShutdownTests(FactoryCase):
    """A server that shuts down sends a goodbye to all clients, and waits until they have left."""

    def test_tells_all(self) -> None:
        """Every client gets the goodbye at once; the shutdown ends when the last has left."""
        clients = [*self.clients("alice", "bob"), greeted_client(self.factory)]
        done = self.factory.shut_down()
        for client in clients:
            (end,) = client.take()
            self.assertEqual((end.header.code, end.header.retry), ("shutting-down", True))
            self.assertNoResult(done)
            client.transport.lose()
        self.assertIsNone(self.successResultOf(done))
        self.assertEqual(self.factory.clock.getDelayedCalls(), [])

    def test_cuts_off_who_does_not_read(self) -> None:
        """Connections that do not close in time are aborted."""
        clients = self.clients("alice", "bob")
        clients[0].transport.accept_no_more()
        done = self.factory.shut_down()
        self.factory.clock.advance(CLOSE_TIMEOUT_S - 0.1)
        self.assertNoResult(done)
        self.factory.clock.advance(0.1)
        self.assertIsNone(self.successResultOf(done))
        for client in clients:
            self.assertEqual(client.transport.ends, ["half-close", "abort"])

    def test_what_was_said_before(self) -> None:
        """The server sends messages of the same turn before the end."""
        alice, bob = self.clients("alice", "bob")
        alice.say("last words")
        self.factory.shut_down()
        words, end = bob.take()
        self.assertEqual((words.text, end.header.code), ("last words", "shutting-down"))

    def test_nobody_is_told_who_leaves_with_it(self) -> None:
        """A client that leaves with the server gets no event about the others."""
        self.clients("alice", "bob", "carol")
        codec = count_encodings(self.factory)
        self.factory.shut_down()
        self.assertEqual(self.factory.sessions, {})
        self.assertEqual(codec.count, 0)

    def test_takes_no_new_ones(self) -> None:
        """During the shutdown, the server refuses a new connection."""
        (alice,) = self.clients("alice")
        self.factory.shut_down()
        self.assertIsNone(self.factory.buildProtocol(None))
        alice.transport.lose()
        self.assertIsNone(self.factory.buildProtocol(None))

    def test_nobody_there(self) -> None:
        """Without connections, a shutdown ends at once, even if called several times."""
        self.assertIsNone(self.successResultOf(self.factory.shut_down()))
        self.assertIsNone(self.successResultOf(self.factory.shut_down()))

    def test_asked_twice(self) -> None:
        """All callers that wait for the shutdown get their results."""
        (alice,) = self.clients("alice")
        waiting = [self.factory.shut_down(), self.factory.shut_down()]
        self.assertEqual(len(alice.take()), 1)
        alice.transport.lose()
        for waiter in waiting:
            self.assertIsNone(self.successResultOf(waiter))
