"""`BrokenStore`: a store that fails to store."""

from __future__ import annotations

from collections.abc import Sequence

from chatd.errors import StoreError
from chatd.storage.memory import MemoryStore
from chatd.storage.values import Entry, Outcome

__all__ = ["BrokenStore"]


class BrokenStore(MemoryStore):
    """A store that can be broken.

    Attributes:
        is_broken: Whether it fails to store.
    """

    is_broken = False

    async def append(self, entries: Sequence[Entry]) -> list[Outcome]:
        """Store messages, or fail."""
        if self.is_broken:
            raise StoreError("the disk is full")
        return await super().append(entries)
