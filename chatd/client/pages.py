"""`Pages`: the pages of history that a client is reading."""

from __future__ import annotations

from chatd.wire.messages import Message

__all__ = ["MAX_PAGE_BYTES", "Page", "Pages"]

MAX_PAGE_BYTES = 64 * 1024 * 1024
"""Limit on the content of the messages that answer one `history`, in bytes."""


class Page:
    """The messages that have arrived as the answer to one `history`.

    Args:
        limit: Limit on the number of messages.

    Attributes:
        messages: The messages, in the order of their arrival.
    """

    __slots__ = ("_bytes", "_limit", "messages")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self.messages: list[Message] = []

    @property
    def is_over(self) -> bool:
        """Whether more messages have arrived than requested."""
        return len(self.messages) > self._limit or self._bytes > MAX_PAGE_BYTES

    def add(self, message: Message) -> None:
        """Keep a message that has arrived."""
        self.messages.append(message)
        self._bytes += len(message.content)


class Pages:
    """The pages that are being read, by the ids of the commands that asked for them."""

    def __init__(self) -> None:
        self._pages: dict[str, Page] = {}

    def __len__(self) -> int:
        return len(self._pages)

    def begin(self, command_id: str, limit: int) -> Page:
        """Collect the messages that answer a command.

        Args:
            command_id: The command's id.
            limit: Number of messages that the command asked for.
        """
        page = self._pages[command_id] = Page(limit)
        return page

    def get(self, ref: str | None) -> Page | None:
        """Return the page that a message with this `ref` belongs to, or None."""
        return None if ref is None else self._pages.get(ref)

    def end(self, command_id: str | None) -> None:
        """Stop collecting: the command was answered. Do nothing if it reads no page."""
        if command_id is not None:
            self._pages.pop(command_id, None)
