"""Tests of waiting in a protocol: for a peer to read, and for answers to a peer."""

from __future__ import annotations

from twisted.internet.error import ConnectionLost

from chatd.errors import SessionEnded
from chatd.transport.closing import CLOSE_TIMEOUT_S
from chatd.transport.outbuffer import SLICE
from tests.fakes.peers import GOODBYE
from tests.transport.cases import MAX_PENDING, ProtocolCase


class DrainedTests(ProtocolCase):
    """A caller with much to send may wait until the peer has read."""

    def setUp(self) -> None:
        super().setUp()
        self.establish()

    def test_reads(self) -> None:
        """If the peer reads, the Deferred fires at the end of the turn, when all is written."""
        self.deliver("one")
        drained = self.protocol.when_drained()
        drained.addCallback(lambda _: self.peer.take_texts())
        self.assertNoResult(drained)
        self.end_turn()
        self.assertEqual(self.successResultOf(drained), ["one"])

    def test_nothing_to_say(self) -> None:
        """If no bytes wait, the Deferred fires at the end of the turn, too."""
        drained = self.protocol.when_drained()
        self.end_turn()
        self.assertIsNone(self.successResultOf(drained))

    def test_does_not_read(self) -> None:
        """If the peer does not read, the Deferred fires when it reads and no bytes wait."""
        self.transport.accept_no_more()
        self.deliver("one")
        drained = self.protocol.when_drained()
        self.end_turn()
        self.assertNoResult(drained)
        self.transport.accept_again()
        self.end_turn()
        self.assertIsNone(self.successResultOf(drained))
        self.assertEqual(self.peer.take_texts(), ["one"])

    def test_stops_reading(self) -> None:
        """If the peer stops reading during a write, the Deferred waits for the rest."""
        write = self.transport.write

        def write_and_be_full(data: bytes) -> None:
            write(data)
            self.transport.accept_no_more()

        self.transport.write = write_and_be_full
        self.protocol.deliver(bytes(SLICE + 1))
        drained = self.protocol.when_drained()
        self.end_turn()
        self.transport.accept_again()
        self.assertNoResult(drained)
        self.transport.write = write
        self.transport.accept_again()
        self.end_turn()
        self.assertIsNone(self.successResultOf(drained))

    def test_again(self) -> None:
        """A caller can wait again after the Deferred fired."""
        for _ in range(3):
            drained = self.protocol.when_drained()
            self.end_turn()
            self.assertIsNone(self.successResultOf(drained))

    def test_ended_first(self) -> None:
        """If either side ends the session first, the Deferred fails with the reason."""
        for end, code in (
            (lambda: self.protocol.end_session("enough", "that was enough"), "enough"),
            (lambda: self.peer.send(GOODBYE), "goodbye"),
            (lambda: self.transport.lose(ConnectionLost()), "connection-lost"),
            (self.half_close, "connection-lost"),
            (lambda: self.protocol.deliver(bytes(MAX_PENDING + 1)), "slow-consumer"),
        ):
            self.setUp()
            self.transport.accept_no_more()
            drained = self.protocol.when_drained()
            end()
            self.end_turn()
            self.assertEqual(self.failureResultOf(drained, SessionEnded).value.code, code)

    def test_over_already(self) -> None:
        """If the session is already over, the Deferred fails at once."""
        self.protocol.end_session("enough", "that was enough")
        self.failureResultOf(self.protocol.when_drained(), SessionEnded)
        self.end_turn()
        self.failureResultOf(self.protocol.when_drained(), SessionEnded)


class OwingTests(ProtocolCase):
    """A protocol waits for the answers that it owes, even if the peer sends no more."""

    def setUp(self) -> None:
        super().setUp()
        self.establish()
        self.protocol.owes = True

    def answer(self) -> None:
        """Give the last answer."""
        self.deliver("answer")
        self.protocol.owes = False
        self.end_turn()

    def test_goodbye(self) -> None:
        """After the peer's DISCONNECT, the protocol sends each answer as it comes, then closes."""
        self.peer.send(GOODBYE)
        self.deliver("first")
        self.end_turn()
        self.assertEqual((self.peer.take_texts(), self.transport.ends), (["first"], []))
        self.assertEqual(self.end_codes(), [])
        self.answer()
        self.assertEqual(
            (self.peer.take_texts(), self.transport.ends), (["answer"], ["half-close"])
        )
        self.assertEqual(self.end_codes(), ["goodbye"])

    def test_half_closed(self) -> None:
        """After the end of the peer's data, the protocol sends each answer, then closes."""
        self.protocol.readConnectionLost()
        self.deliver("first")
        self.end_turn()
        self.assertEqual((self.peer.take_texts(), self.transport.ends), (["first"], []))
        self.assertEqual(self.end_codes(), [])
        self.answer()
        self.assertEqual((self.peer.take_texts(), self.transport.ends), (["answer"], ["close"]))
        self.assertEqual(self.end_codes(), ["connection-lost"])

    def test_ended(self) -> None:
        """An end by this side does not wait for answers."""
        self.protocol.end_session("enough", "that was enough")
        self.end_turn()
        self.assertEqual((self.transport.ends, self.end_codes()), (["half-close"], ["enough"]))

    def test_lost(self) -> None:
        """A loss does not wait for answers."""
        self.peer.send(GOODBYE)
        self.transport.lose()
        self.assertEqual((self.end_codes(), self.protocol.closed), (["goodbye"], 1))
        self.answer()
        self.assertEqual(self.peer.take_texts(), [])

    def test_too_much(self) -> None:
        """The protocol cuts off a peer if it does not read and too many bytes wait for it."""
        for go in (lambda: self.peer.send(GOODBYE), self.half_close):
            self.setUp()
            self.transport.accept_no_more()
            go()
            self.end_turn()
            self.assertEqual(self.transport.ends, [])
            self.protocol.deliver(bytes(MAX_PENDING + 1))
            self.end_turn()
            self.assertEqual(len(self.end_codes()), 1)
            self.clock.advance(CLOSE_TIMEOUT_S)
            self.assertEqual(self.transport.ends[-1], "abort")
