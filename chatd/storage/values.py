"""The values that go into a store of messages and come out of it."""

from __future__ import annotations

from enum import Enum

import msgspec

from chatd.errors import ConfigurationError, ErrorCode, RequestError
from chatd.wire.messages import MESSAGE_TYPE, ChatHeader, Message

__all__ = [
    "DirectHead",
    "Durability",
    "Entry",
    "Head",
    "Outcome",
    "Page",
    "Retention",
    "Stored",
    "StreamPosition",
    "place",
    "repeat",
]


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a stream is kept: beyond any of the bounds, the oldest messages go.

    A stream keeps its last message at any size.

    Attributes:
        max_messages: The most messages, at least 1.
        max_age_s: The highest age of a message, in seconds.
        max_bytes: The most bytes of content.

    Raises:
        ConfigurationError: Nothing would be kept.
    """

    max_messages: int = 10_000
    max_age_s: float = 30 * 86_400.0
    max_bytes: int = 256 * 1024 * 1024

    def __post_init__(self) -> None:
        if self.max_messages < 1 or self.max_age_s <= 0 or self.max_bytes < 0:
            raise ConfigurationError(
                "a retention has at least 1 message, more than 0 seconds and at least 0 bytes"
            )


class Durability(str, Enum):
    """The failures that an answered append survives.

    In either case it survives the end of the process, even a crash.
    """

    FULL = "full"
    """Power cuts too, because each transaction waits for the disk."""
    NORMAL = "normal"
    """All but a power cut, which may lose the last moments; then every stream gets a new epoch."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A message that has no place in a stream yet.

    Attributes:
        stream: The key of the stream.
        author: The folded name of the author; the author and the header's `id` identify the
            message.
        header: The header as members get it, all but the `seq`.
        content: The content.
    """

    stream: str
    author: str
    header: ChatHeader
    content: bytes


class Stored(msgspec.Struct, frozen=True, gc=False):
    """A message that has its place in a stream.

    Attributes:
        message: The message as members get it, with its `seq`.
        is_new: Whether it got its place now. If not, it is the earlier message that the same author
            sent with the same id and content.
    """

    message: Message
    is_new: bool


Outcome = Stored | RequestError
"""The result of appending an entry; the error is `id-reused`, with the id as its `ref`."""


def place(entry: Entry, seq: int) -> Message:
    """Return the message that an entry becomes at a place."""
    return Message(MESSAGE_TYPE, msgspec.structs.replace(entry.header, seq=seq), entry.content)


def repeat(entry: Entry, earlier: Message) -> Outcome:
    """Return the outcome of an entry with the author and the id of an earlier message."""
    if (earlier.content, earlier.content_type) == (entry.content, entry.header.content_type):
        return Stored(earlier, False)
    return RequestError(ErrorCode.ID_REUSED, "another message has this id", ref=entry.header.id)


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """Where a stream stands.

    Attributes:
        name: The room's name as it was first spelled; empty for a direct stream.
        epoch: The name of the stream's order.
        seq: The place of the last message, or 0.
        oldest: The place of the oldest message that is kept; `seq + 1` if none is.
        topic: The topic of the room, or empty.
        last_id: The id of the message at `seq`; None if no message is kept.
    """

    name: str
    epoch: str
    seq: int
    oldest: int
    topic: str = ""
    last_id: str | None = None


class StreamPosition(msgspec.Struct, frozen=True):
    """How far a reader has come in a stream.

    Attributes:
        seq: The place of the last message that the reader has; 0 for none.
        epoch: The epoch of that `seq`; None for the stream's present epoch.
        id: The id of the message at `seq`; None if the reader does not know it.
    """

    seq: int
    epoch: str | None = None
    id: str | None = None


class Page(msgspec.Struct, frozen=True):
    """A part of a stream.

    Attributes:
        messages: Messages whose places follow each other, in order, as they were delivered.
        head: Where the stream stands.
        is_complete: Whether the page reaches to the newest message, or with `before`, to the
            oldest that is kept.
        is_recovered: Whether the page was read after a `StreamPosition` that the stream knows, and
            no message after that position is missing.
    """

    messages: list[Message]
    head: Head
    is_complete: bool
    is_recovered: bool = False


class DirectHead(msgspec.Struct, frozen=True):
    """Where the direct messages of two names stand, as listed for the first name.

    Attributes:
        other: The folded second name.
        head: Where their stream stands.
    """

    other: str
    head: Head
