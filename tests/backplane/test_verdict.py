"""The checks of a room's order: each finds what it is for."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from chatd import Message, MessageType
from chatd.wire.messages import ChatHeader
from tests.backplane.verdict import Order, Receipt, Stretch, empty_parts


def message(seq: int, id: str | None = None) -> Message:
    """Return a message as its receivers see it."""
    text = id or f"m{seq}"
    header = ChatHeader(id=text, room="lobby", sender="ann", seq=seq, time=1.0)
    return Message(MessageType.MESSAGE, header, text.encode())


def messages(*seqs: int) -> list[Message]:
    return [message(seq) for seq in seqs]


class OrderTests(SynchronousTestCase):
    """The checks of a history of three messages."""

    def found(
        self,
        *stretches: Stretch,
        receipts: Sequence[Receipt] = (),
        history: Sequence[Message] | None = None,
        may_lose: bool = False,
    ) -> str:
        """Return what the checks find."""
        kept = messages(1, 2, 3) if history is None else history
        order = Order(kept, "e", may_lose=may_lose)
        order.check_receipts(receipts)
        order.check_heard("bob", stretches)
        return "; ".join(order.violations)

    def test_right(self):
        """Nothing is wrong with a receipt that is kept, and a client that heard everything."""
        receipts = [Receipt(message(2), "m2", "e")]
        self.assertEqual(self.found(Stretch("e", 1, messages(2, 3)), receipts=receipts), "")

    def test_history(self):
        """A gap in the history is found, and an id that is there twice."""
        self.assertEqual(self.found(history=messages(1, 3)), "the history has 3 after 1")
        twice = [message(1, "a"), message(2, "a")]
        self.assertIn("'a') is there 2 times", self.found(history=twice))

    def test_lost_receipt(self):
        """A receipt that is not kept, or not with its content, is found."""
        self.assertIn("kept None", self.found(receipts=[Receipt(message(4), "m4", "e")]))
        self.assertIn("confirmed", self.found(receipts=[Receipt(message(3), "other", "e")]))
        self.assertIn("confirmed", self.found(receipts=[Receipt(message(3, "b"), "b", "e")]))

    def test_earlier_epoch(self):
        """Only a room that may lose messages may lose a receipt of an earlier epoch."""
        receipts = [Receipt(message(4), "m4", "d")]
        self.assertEqual(self.found(receipts=receipts, may_lose=True), "")
        self.assertIn("kept None", self.found(receipts=receipts))

    def test_gap(self):
        """A gap and a repeat are found, also at the beginning."""
        self.assertIn("bob heard 3 after 1", self.found(Stretch("e", 0, messages(1, 3))))
        self.assertIn("bob heard 2 after 2", self.found(Stretch("e", 1, messages(2, 2))))
        self.assertIn("bob heard 2 after 0", self.found(Stretch("e", 0, messages(2, 3))))

    def test_two_orders(self):
        """Another message at the same place of the same epoch is found."""
        other = Stretch("e", 2, [message(3, "other")])
        self.assertIn("others", self.found(other, may_lose=True))
        earlier = Stretch("d", 2, [message(3, "other")])
        self.assertEqual(self.found(earlier, may_lose=True), "")

    def test_false_alarm(self):
        """A client that is told of a loss where nothing can be lost is found."""
        told = (Stretch("e", 0, messages(1)), Stretch("f", 0))
        self.assertIn("told of a loss", self.found(*told))
        self.assertEqual(self.found(*told, may_lose=True), "")


class EmptyTests(SynchronousTestCase):
    """The check that a run proves anything."""

    def test_full(self):
        """Nothing is wrong with a run in which everything took place."""
        self.assertEqual(empty_parts(["daemon kill"], {"daemon kill": 1}, 5, {"ann": 2}), [])

    def test_no_fault(self):
        """A run fails if one of its faults never took place."""
        found = empty_parts(["daemon kill", "link cut"], {"daemon kill": 0}, 5, {"ann": 2})
        self.assertEqual(found, ["no daemon kill took place", "no link cut took place"])

    def test_nothing_said(self):
        """A run fails if nothing was delivered in it."""
        found = empty_parts([], {}, 0, {"ann": 0})
        self.assertEqual(found, ["no message was confirmed", "ann heard nothing"])
