"""Tests of a server that stops: its grace, and no more."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.peers import GatedStore, greeted_client, hand_client, memory_factory, settle


class DrainTests(SynchronousTestCase):
    """Missing answers come first, then all goodbyes; both take limited time."""

    def setUp(self) -> None:
        self.store = GatedStore()
        self.factory = memory_factory(store=self.store)
        self.alice = hand_client(self.factory)
        self.clock = self.factory.clock

    def test_answers_first(self) -> None:
        """Messages have their answers before the end is announced."""
        self.alice.say("last words")
        settle(self.factory)
        done = self.factory.shut_down(10)
        settle(self.factory)
        self.assertEqual(self.alice.take(), [])
        self.store.answer()
        settle(self.factory)
        words, end = self.alice.take()
        self.assertEqual(words.text, "last words")
        self.assertEqual((end.header.code, end.header.retry), ("shutting-down", True))
        self.alice.transport.lose()
        self.successResultOf(done)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_store_that_hangs(self) -> None:
        """If the store hangs, clients get the goodbye at half of the grace, and the cut later."""
        self.alice.say("lost words")
        settle(self.factory)
        done = self.factory.shut_down(4)
        self.clock.advance(1.9)
        self.assertEqual(self.alice.take(), [])
        self.clock.advance(0.1)
        settle(self.factory)
        (end,) = self.alice.take()
        self.assertEqual(end.header.code, "shutting-down")
        self.assertNoResult(done)
        self.clock.advance(2)
        self.successResultOf(done)
        self.assertEqual(self.alice.transport.ends[-1], "abort")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_does_not_read(self) -> None:
        """Even after a short grace, the server cuts off a client that reads nothing."""
        idle = greeted_client(self.factory)
        for client in (self.alice, idle):
            client.transport.accept_no_more()
        done = self.factory.shut_down(1)
        self.clock.advance(0.9)
        self.assertNoResult(done)
        self.clock.advance(0.1)
        self.successResultOf(done)
        self.assertEqual(
            [len(self.factory.engine.connections), self.clock.getDelayedCalls()], [0, []]
        )

    def test_no_time_at_all(self) -> None:
        """A grace of 0 is no time."""
        done = self.factory.shut_down(0)
        settle(self.factory)
        self.successResultOf(done)

    def test_hurry(self) -> None:
        """A hurried stop cuts all clients off before."""
        done = self.factory.shut_down(10)
        self.factory.cut_off()
        self.successResultOf(done)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_hurry(self) -> None:
        """`cut_off` does nothing on a server that is not stopping."""
        self.factory.cut_off()
        self.assertTrue(self.alice.protocol.session.is_active)
