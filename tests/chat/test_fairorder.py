"""Tests of the fair order: owners are served alike, and each owner's items keep their order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.chat.fairorder import FairOrder


class FairOrderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.order: FairOrder[str] = FairOrder()

    def push(self, *items: str, size: int = 1) -> None:
        """Add items; the first letter of each is its owner."""
        for item in items:
            self.order.push(item[0], size, item)

    def pop(self, count: int) -> list[str]:
        return [self.order.pop() for _ in range(count)]

    def test_turns(self) -> None:
        """Owners with items of the same size are served in turn, in the order of their arrival."""
        self.push("a1", "a2", "a3", "b1", "b2", "c1")
        self.assertEqual(self.order.pop_all(), ["a1", "b1", "c1", "a2", "b2", "a3"])
        self.assertEqual(self.order.items, [])

    def test_sizes(self) -> None:
        """An owner with large items is served less often, so that all get the same share."""
        self.push("a1", "a2", size=3)
        self.push("b1", "b2", "b3", "b4", "b5", size=1)
        self.assertEqual(self.order.next_size, 1)
        self.assertEqual(self.order.pop_all(), ["b1", "b2", "a1", "b3", "b4", "b5", "a2"])

    def test_comes_later(self) -> None:
        """An item of an owner who comes later does not wait for those that waited before."""
        self.push(*(f"{owner}{number}" for owner in "abc" for number in range(10)), size=100)
        self.pop(10)
        self.push("q1")
        self.assertEqual(self.pop(1), ["q1"])

    def test_comes_again(self) -> None:
        """An owner who comes again at once is not served before those that wait."""
        self.push("a1", "b1", "c1", size=100)
        self.assertEqual(self.pop(1), ["a1"])
        self.push("a2", size=100)
        self.assertEqual(self.pop(3), ["b1", "c1", "a2"])

    def test_forgotten(self) -> None:
        """When no item waits, earlier items no longer matter."""
        self.push("a1", size=100)
        self.pop(1)
        self.push("a2", "b1", size=100)
        self.assertEqual(self.pop(2), ["a2", "b1"])

    @given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 9)) | st.none()))
    def test_any(self, steps: list[tuple[str, int] | None]) -> None:
        """Each item comes out once, in its owner's order, whenever items come and go."""
        self.order = FairOrder()
        pushed: dict[str, list[str]] = {owner: [] for owner in "abcd"}
        popped: dict[str, list[str]] = {owner: [] for owner in "abcd"}
        for number, step in enumerate(steps):
            if step is not None:
                owner, size = step
                pushed[owner].append(f"{owner}{number}")
                self.push(pushed[owner][-1], size=size)
            elif self.order.items:
                item = self.order.pop()
                popped[item[0]].append(item)
        for item in self.order.pop_all():
            popped[item[0]].append(item)
        self.assertEqual(popped, pushed)
