"""`FairOrder`: gives each of many owners its share of a service, in fair turns."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Generic, TypeVar

__all__ = ["FairOrder"]

T = TypeVar("T")


class FairOrder(Generic[T]):
    """Orders waiting items so that their owners are served alike; each owner's items keep theirs.

    Each item has a finish: its size after the finish of its owner's item before it, or after the
    start of the item that was served last. The item with the lowest finish is next. So the items of
    an owner that was served less come first, however many items of the others wait. This is fair
    queueing (Demers, Keshav and Shenker, 1989, "Analysis and Simulation of a Fair Queueing
    Algorithm").

    Attributes:
        items: The waiting items, each behind its finish, its number and its size; a heap.
    """

    def __init__(self) -> None:
        self.items: list[tuple[int, int, int, T]] = []
        self._finishes: dict[str, int] = {}  # of the last item of each owner
        self._now = 0
        self._pushed = 0

    @property
    def next_size(self) -> int:
        """The size of the next item; there must be an item."""
        return self.items[0][2]

    def push(self, owner: str, size: int, item: T) -> None:
        """Add an item.

        Args:
            owner: The id of its owner.
            size: The share of the service that it takes, at least 1.
            item: The item.
        """
        finish = max(self._now, self._finishes.get(owner, 0)) + size
        self._finishes[owner] = finish
        self._pushed += 1
        heappush(self.items, (finish, self._pushed, size, item))

    def pop(self) -> T:
        """Remove and return the next item; there must be an item."""
        finish, _, size, item = heappop(self.items)
        self._now = max(self._now, finish - size)
        if not self.items:
            self._finishes.clear()
            self._now = 0
        return item

    def pop_all(self) -> list[T]:
        """Remove and return all items, in order."""
        return [self.pop() for _ in range(len(self.items))]
