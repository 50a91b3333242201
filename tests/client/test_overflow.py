"""Tests of the messages that did not fit into the inbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from chatd.client import overflow
from chatd.client.overflow import Behind, Overflow
from chatd.wire.messages import ChatHeader, Message, MessageType


def chat(seq: int | None, *, room: str | None = "lobby", sender: str = "bob") -> Message:
    header = ChatHeader(id=f"m{seq}", room=room, sender=sender, to=None, seq=seq)
    return Message(MessageType.MESSAGE, header)


class CountedDict(dict[Any, Any]):
    """Counts the entries that loops over it look at."""

    looks = 0

    def values(self) -> Iterator[Any]:  # type: ignore[override]
        return (value for _, value in self.items())

    def items(self) -> Iterator[tuple[Any, Any]]:  # type: ignore[override]
        for item in super().items():
            self.looks += 1
            yield item


class OverflowTests(SynchronousTestCase):
    """The places of messages that wait at the server."""

    def setUp(self) -> None:
        self.overflow = Overflow()

    def leave(self, *seqs: int) -> Behind:
        """Leave messages of the lobby to the server."""
        first, *rest = seqs
        self.assertTrue(self.overflow.add(chat(first)))
        for seq in rest:
            self.assertTrue(self.overflow.holds(chat(seq)))
        return cast(Behind, self.overflow.first())

    def test_first(self) -> None:
        """The messages after the last that fitted are to be fetched."""
        behind = self.leave(5, 6, 8)
        self.assertEqual((behind.room, behind.other), ("lobby", None))
        self.assertEqual((behind.after, behind.newest), (4, 8))
        self.assertFalse(behind.has_gap)

    def test_direct(self) -> None:
        """Direct messages are those of their sender, however the name is spelled."""
        self.assertTrue(self.overflow.add(chat(5, room=None)))
        self.assertTrue(self.overflow.holds(chat(6, room=None, sender="Bob")))
        self.assertFalse(self.overflow.holds(chat(6, room=None, sender="carol")))
        behind = cast(Behind, self.overflow.first())
        self.assertEqual((behind.room, behind.other), (None, "bob"))

    def test_other_rooms(self) -> None:
        """The messages of other rooms do not wait."""
        self.leave(5)
        self.assertFalse(self.overflow.holds(chat(6, room="garden")))
        self.assertFalse(self.overflow.holds(chat(None)))

    def test_not_kept_by_the_server(self) -> None:
        """A message without a place cannot be fetched."""
        self.assertFalse(self.overflow.add(chat(None)))
        self.assertIsNone(self.overflow.first())

    def test_bound(self) -> None:
        """The number of rooms and people is bounded."""
        self.patch(overflow, "MAX_STREAMS", 2)
        added = [self.overflow.add(chat(1, room=room)) for room in ("one", "two", "three")]
        self.assertEqual(added, [True, True, False])

    def test_fetched(self) -> None:
        """When all are fetched, none waits; until then, the next page begins after the last."""
        behind = self.leave(5, 6, 7)
        self.assertFalse(behind.fetched([chat(5), chat(6)], "e", is_complete=False))
        self.assertEqual((behind.after, behind.epoch, behind.id), (6, "e", "m6"))
        self.assertTrue(behind.fetched([chat(7)], "e", is_complete=True))
        self.assertIsNone(self.overflow.first())

    def test_more_meanwhile(self) -> None:
        """A message that arrives while the server reads the last page is fetched too."""
        behind = self.leave(5, 6)
        self.assertFalse(behind.fetched([chat(5)], "e", is_complete=True))

    def test_gone(self) -> None:
        """Without a further message at the server, there is nothing to fetch."""
        self.assertTrue(self.leave(5, 6).fetched([], "e", is_complete=True))

    def test_page_was_ahead(self) -> None:
        """A message that a page had already is not taken again; the next is."""
        self.leave(5).fetched([chat(5), chat(6), chat(7)], "e", is_complete=True)
        self.assertTrue(self.overflow.holds(chat(6)))
        self.assertTrue(self.overflow.holds(chat(7)))
        self.assertFalse(self.overflow)
        self.assertFalse(self.overflow.holds(chat(8)))

    def test_page_was_ahead_of_own_messages(self) -> None:
        """If the messages that a page had are the client's own, the next message is taken."""
        self.leave(5).fetched([chat(5), chat(6)], "e", is_complete=True)
        self.assertFalse(self.overflow.holds(chat(7)))
        self.assertFalse(self.overflow)

    def test_new_epoch(self) -> None:
        """If the order begins anew, the new messages are fetched, and the gap is known."""
        behind = self.leave(5, 6, 1, 2)
        self.assertEqual((behind.after, behind.epoch, behind.newest), (0, None, 2))
        self.assertTrue(behind.has_gap)

    def test_new_epoch_after_all_were_fetched(self) -> None:
        """A message of a new order is taken, though an earlier page had its number."""
        self.leave(5).fetched([chat(5), chat(6), chat(7)], "e", is_complete=True)
        self.assertFalse(self.overflow.holds(chat(1)))

    def test_turns(self) -> None:
        """Each room has its turn."""
        first = self.leave(5)
        self.assertTrue(self.overflow.add(chat(1, room="garden")))
        self.overflow.move_back(first)
        second = cast(Behind, self.overflow.first())
        self.assertEqual(second.room, "garden")
        self.overflow.remove(second)
        self.assertIs(self.overflow.first(), first)
        self.overflow.move_back(second)  # it is gone
        self.assertIs(self.overflow.first(), first)

    def test_cost_of_many(self) -> None:
        """To fetch a stream costs the same, however many others wait or are fetched."""
        dicts = {name: CountedDict() for name in vars(self.overflow)}
        vars(self.overflow).update(dicts)
        many = 100
        for number in range(many):
            self.overflow.add(chat(5, room=None, sender=f"p{number}"))
        for number in range(many):
            behind = cast(Behind, self.overflow.first())
            self.assertEqual(behind.other, f"p{number}")
            behind.fetched([chat(5), chat(6)], "e", is_complete=True)
            self.assertTrue(self.overflow.has(behind))
            self.overflow.move_back(behind)
        self.assertIsNone(self.overflow.first())
        self.assertTrue(self.overflow.holds(chat(6, room=None, sender="p1")))
        self.assertLessEqual(sum(each.looks for each in dicts.values()), 2 * many)
        self.assertFalse(self.overflow.remove_direct())
        self.assertFalse(self.overflow)

    def test_remove_direct(self) -> None:
        """Direct messages are forgotten with the old name; rooms stay."""
        self.leave(5)
        self.assertFalse(self.overflow.remove_direct())
        self.overflow.add(chat(5, room=None))
        self.assertTrue(self.overflow.remove_direct())
        behind = cast(Behind, self.overflow.first())
        self.assertEqual(behind.room, "lobby")
