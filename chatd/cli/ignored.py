"""`Ignored`: the people whose messages are not shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from chatd.chat.names import fold
from chatd.wire.messages import Message

__all__ = ["MAX_IGNORED", "Ignored"]

MAX_IGNORED = 1_000
"""Limit on the ignored names."""
_HIDDEN = ("joined", "left")


class Ignored:
    """The people whose messages, arrivals and departures are not shown.

    Args:
        names: Their names.
        save: Keeps the names for the next time; None if nothing does.
    """

    def __init__(
        self, names: Iterable[str] = (), save: Callable[[Sequence[str]], None] | None = None
    ) -> None:
        self._names = {fold(name): name for name in names}
        self._save = save

    @property
    def names(self) -> list[str]:
        """The names, in the order in which they were added."""
        return list(self._names.values())

    @property
    def is_kept(self) -> bool:
        """Whether the names are kept for the next time."""
        return self._save is not None

    def has(self, name: str | None) -> bool:
        """Return whether a name is ignored."""
        return bool(self._names) and fold(name or "") in self._names

    def hides(self, shown: Message | Mapping[str, Any]) -> bool:
        """Return whether a message or an event is not shown."""
        if isinstance(shown, Message):
            return self.has(shown.sender)
        return shown.get("event") in _HIDDEN and self.has(str(shown.get("name", "")))

    def add(self, name: str) -> bool:
        """Ignore a name; return whether there was room for it."""
        if len(self._names) >= MAX_IGNORED and not self.has(name):
            return False
        self._names[fold(name)] = name
        self._changed()
        return True

    def remove(self, name: str) -> bool:
        """Ignore a name no longer; return whether it was ignored."""
        if self._names.pop(fold(name), None) is None:
            return False
        self._changed()
        return True

    def _changed(self) -> None:
        if self._save is not None:
            self._save(self.names)
