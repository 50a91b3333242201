"""Tests of the end of a server's stop: its time, and the state that it leaves."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import StoreError
from chatd.wire.messages import Message, MessageType
from tests.fakes.peers import (
    GOODBYE,
    GatedStore,
    Peer,
    command,
    greeted_client,
    hand_client,
    memory_factory,
    settle,
)


class DrainEndsTests(SynchronousTestCase):
    """A server whose store answers at the test's command, and clients without the library."""

    def setUp(self) -> None:
        self.store = GatedStore()
        self.factory = memory_factory(store=self.store)
        self.clock = self.factory.clock
        self.alice = hand_client(self.factory)

    def codes(self, client: Peer) -> list[str]:
        """Return the codes of a client's DISCONNECTs."""
        return [each.header.code for each in client.take() if each.type == MessageType.DISCONNECT]

    def test_everyone_at_half_time(self) -> None:
        """At half of the grace, all clients get the goodbye, with or without missing answers."""
        bob, idle = hand_client(self.factory, "bob"), greeted_client(self.factory)
        self.alice.say("lost words")
        settle(self.factory)
        self.factory.shut_down(4)
        self.clock.advance(1.9)
        self.assertEqual([self.codes(each) for each in (self.alice, bob, idle)], [[], [], []])
        self.clock.advance(0.1)
        told = [self.codes(each) for each in (self.alice, bob, idle)]
        self.assertEqual(told, [["shutting-down"]] * 3)

    def test_answer_after_half_time(self) -> None:
        """After half of the grace, the server still stores a message, and sends no receipt."""
        self.alice.say("late words")
        settle(self.factory)
        done = self.factory.shut_down(4)
        self.clock.advance(2)
        self.alice.take()
        self.store.answer()
        settle(self.factory)
        self.assertEqual(self.alice.take(), [])
        self.assertNoResult(done)
        self.alice.transport.lose()
        self.successResultOf(done)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_gone_while_the_store_hangs(self) -> None:
        """After all clients have left, the server waits for their messages, up to the grace."""
        self.alice.say("last words")
        settle(self.factory)
        done = self.factory.shut_down(4)
        self.alice.transport.lose()
        self.clock.advance(3.9)
        self.assertNoResult(done)
        self.clock.advance(0.1)
        self.successResultOf(done)
        self.store.answer()
        settle(self.factory)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_store_that_fails(self) -> None:
        """If the store fails, the senders get an error, and then all clients the goodbye."""
        self.alice.say("lost words")
        settle(self.factory)
        done = self.factory.shut_down(10)
        self.store.fail(StoreError("the disk is full"))
        settle(self.factory)
        error, end = self.alice.take()
        self.assertEqual((error.header.code, end.header.code), ("not-stored", "shutting-down"))
        self.alice.transport.lose()
        self.successResultOf(done)

    def test_said_meanwhile(self) -> None:
        """The server does not read messages after the announced end."""
        done = self.factory.shut_down(10)
        self.assertEqual(self.codes(self.alice), ["shutting-down"])
        self.alice.say("too late")
        settle(self.factory)
        self.assertEqual((self.alice.take(), self.store.batches), ([], []))
        self.alice.transport.lose()
        self.successResultOf(done)

    def test_said_while_answers_are_owed(self) -> None:
        """Messages from others during the wait delay no client twice."""
        bob = hand_client(self.factory, "bob")
        self.alice.take()
        self.alice.say("first")
        settle(self.factory)
        done = self.factory.shut_down(10)
        bob.say("second")
        settle(self.factory)
        self.store.answer()
        settle(self.factory)
        (words, end), _ = self.alice.take(), bob.take()
        self.assertEqual((words.text, end.header.code), ("first", "shutting-down"))
        self.store.answer()
        settle(self.factory)
        self.alice.transport.lose()
        bob.transport.lose()
        self.successResultOf(done)
        self.assertEqual(self.store.batches, [["first"], ["second"]])

    def test_nobody_new(self) -> None:
        """The server refuses a new connection; a greeted client gets no session."""
        idle = greeted_client(self.factory)
        done = self.factory.shut_down(10)
        self.assertIsNone(self.factory.buildProtocol(None))
        self.assertEqual(self.codes(idle), ["shutting-down"])
        self.assertNoResult(done)
        for each in (self.alice, idle):
            each.transport.lose()
        self.successResultOf(done)

    def test_quick(self) -> None:
        """Clients that leave at once leave no timer; without clients, the stop ends at once."""
        done = self.factory.shut_down(3600)
        self.alice.send(GOODBYE)
        self.alice.transport.lose()
        self.successResultOf(done)
        self.successResultOf(self.factory.shut_down(3600))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_twice(self) -> None:
        """Calling it twice gives two Deferreds, but each client gets a single goodbye."""
        done = [self.factory.shut_down(10), self.factory.shut_down(20)]
        self.assertEqual(self.codes(self.alice), ["shutting-down"])
        self.alice.transport.lose()
        for each in done:
            self.assertIsNone(self.successResultOf(each))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_hurry_while_the_store_hangs(self) -> None:
        """A hurried stop does not wait for the store."""
        self.alice.say("lost words")
        settle(self.factory)
        done = self.factory.shut_down(10)
        self.factory.cut_off()
        self.successResultOf(done)
        self.factory.cut_off()
        self.assertEqual(self.alice.transport.ends, ["abort"])
        self.assertEqual(
            (len(self.factory.engine.connections), self.clock.getDelayedCalls()), (0, [])
        )

    def test_wait_for_a_client(self) -> None:
        """Callers that wait for a client stop waiting."""
        waiting = self.factory.when_active("bob")
        self.factory.shut_down(1)
        self.assertEqual(self.failureResultOf(waiting).value.code, "shutting-down")
        self.alice.transport.lose()

    def test_serves_again(self) -> None:
        """After a stop of the whole grace, the server can serve again."""
        self.factory.shut_down(2)
        self.clock.advance(2)
        self.factory.startFactory()
        bob = hand_client(self.factory, "bob")
        self.clock.advance(3)
        bob.take()
        self.factory.cut_off()
        bob.send(command("who", room="lobby"))
        settle(self.factory)
        (result,) = bob.take()
        self.assertEqual((result.type, result.header["id"]), (MessageType.RESULT, "who"))

    def test_own_word(self) -> None:
        """The server waits for its own messages like for those of clients."""
        said = self.factory.send_to_room("lobby", "the server goes")
        settle(self.factory)
        done = self.factory.shut_down(10)
        self.assertEqual(self.alice.take(), [])
        self.store.answer()
        settle(self.factory)
        news, end = self.alice.take()
        self.assertEqual((news.text, end.header.code), ("the server goes", "shutting-down"))
        self.assertIsInstance(self.successResultOf(said), Message)
        self.alice.transport.lose()
        self.successResultOf(done)
