"""`Channels`: the channels that a node hears, over all its attachments."""

from __future__ import annotations

from collections.abc import Callable

from chatd.backplane.redis import keys

__all__ = ["Channels"]


class Channels(dict[str, Callable[[bytes], None]]):
    """The channels that a node hears, each with the function that takes its pushes."""

    def __init__(self) -> None:
        super().__init__()
        self._generation = ""
        self._by_name: dict[bytes, str] = {}

    def begin(self, generation: str) -> None:
        """Change to another generation, in which the channels have other names."""
        self._generation = generation
        self._by_name = {self._name_of(channel): channel for channel in self}

    def add(self, channel: str, callback: Callable[[bytes], None]) -> None:
        """Add a channel."""
        self[channel] = callback
        self._by_name[self._name_of(channel)] = channel

    def remove(self, channel: str) -> None:
        """Remove a channel, if it is there."""
        self.pop(channel, None)
        self._by_name.pop(self._name_of(channel), None)

    def pushed(self, name: bytes, data: bytes) -> None:
        """Take a push to the channel that has a name in Redis."""
        channel = self._by_name.get(name)
        if channel is not None:
            self[channel](data)

    def _name_of(self, channel: str) -> bytes:
        return keys.channel(self._generation, channel).encode()
