"""The values that go into a store of messages and come out of it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from chatd.errors import ConfigurationError, ErrorCode, RequestError
from chatd.wire.messages import MESSAGE_TYPE, ChatHeader, Message

__all__ = [
    "DirectHead",
    "Entry",
    "Head",
    "Outcome",
    "Page",
    "Retention",
    "Stored",
    "StreamPosition",
    "place",
    "repeat",
    "resume_from",
]


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a stream is kept; what is over any of the bounds goes, the oldest first.

    The last message of a stream is kept whatever its size.

    Attributes:
        max_messages: How many messages, at least 1.
        max_age_s: How old a message may be, in seconds.
        max_bytes: How many bytes of content.

    Raises:
        ConfigurationError: Nothing would be kept.
    """

    max_messages: int = 10_000
    max_age_s: float = 30 * 86_400.0
    max_bytes: int = 256 * 1024 * 1024

    def __post_init__(self) -> None:
        if self.max_messages < 1 or self.max_age_s <= 0 or self.max_bytes < 0:
            raise ConfigurationError("what is kept is 1 message at least, for some time")


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A message that is to be given its place in a stream.

    Attributes:
        stream: The key of the stream.
        author: The folded name of who says it; with `id`, what makes the message the same.
        id: The author's own name for the message.
        room: The room it is said in, as it is delivered, or None.
        to: The name it is said to, as it is delivered, or None.
        sender: The name of who says it, as it is delivered.
        time: When it is said, in Unix seconds.
        content_type: What the content is.
        content: The content.
    """

    stream: str
    author: str
    id: str
    room: str | None
    to: str | None
    sender: str
    time: float
    content_type: str
    content: bytes


class Stored(msgspec.Struct, frozen=True, gc=False):
    """A message that has its place.

    Attributes:
        message: The message as it is delivered, with its `seq`.
        is_new: Whether it was given its place now. If not, the same author said the same under the
            same id before: the message is the one of then.
    """

    message: Message
    is_new: bool


Outcome = Stored | RequestError
"""What became of an entry; the error is `id-reused`, with the id as its `ref`."""


def place(entry: Entry, seq: int) -> Message:
    """Return the message that an entry becomes at its place."""
    header = ChatHeader(
        id=entry.id,
        room=entry.room,
        to=entry.to,
        sender=entry.sender,
        seq=seq,
        time=entry.time,
        content_type=entry.content_type,
    )
    return Message(MESSAGE_TYPE, header, entry.content)


def repeat(entry: Entry, earlier: Message) -> Outcome:
    """Return what becomes of an entry whose author and id are those of an earlier message."""
    if (earlier.content, earlier.content_type) == (entry.content, entry.content_type):
        return Stored(earlier, False)
    return RequestError(ErrorCode.ID_REUSED, "this id was given to another message", ref=entry.id)


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """Where a stream stands.

    Attributes:
        name: The name of the room, as it was first spelled; empty for other streams.
        epoch: The name of its order.
        seq: The place of its last message, or 0.
        oldest: The place of the oldest message that is kept; `seq + 1` where none is.
        topic: The topic of the room, or empty.
        last_id: The id of the message at `seq`; None where no message is kept.
    """

    name: str
    epoch: str
    seq: int
    oldest: int
    topic: str = ""
    last_id: str | None = None


class StreamPosition(msgspec.Struct, frozen=True):
    """How far someone has read in a stream.

    Attributes:
        seq: The place of the last message that the reader has; 0 for none.
        epoch: The epoch of that `seq`; None for the one that the stream has.
        id: The id of the message at `seq`; None where the reader does not know it.
    """

    seq: int
    epoch: str | None = None
    id: str | None = None


def resume_from(
    head: Head, position: StreamPosition, id_at: Callable[[int], str | None]
) -> tuple[int, bool]:
    """Return the place after which a reader goes on, and whether it then misses nothing.

    A position is unknown to a stream of another epoch, to one that has not come so far, and to one
    whose message there has another id, as after a copy of the store was put back. Its reader goes
    on with the oldest message that is kept.

    Args:
        head: Where the stream stands.
        position: How far the reader has read.
        id_at: Returns the id of a message that is kept, by its place.
    """
    is_known = (
        position.epoch in (None, head.epoch)
        and position.seq <= head.seq
        and (
            position.id is None or position.seq < head.oldest or id_at(position.seq) == position.id
        )
    )
    return (position.seq, head.oldest <= position.seq + 1) if is_known else (0, False)


class Page(msgspec.Struct, frozen=True):
    """A part of a stream.

    Attributes:
        messages: Messages whose places follow each other, in order, as they were delivered.
        head: Where the stream stands.
        is_complete: Whether nothing that was asked for is left out: the page reaches to the
            newest message, or with `before`, to the oldest.
        is_recovered: Where it was read after a `StreamPosition`, whether the stream knows that
            position and no message after it is missing.
    """

    messages: list[Message]
    head: Head
    is_complete: bool
    is_recovered: bool = False


class DirectHead(msgspec.Struct, frozen=True):
    """Where the direct messages of two names stand, as listed for the first of them.

    Attributes:
        other: The folded name of the second.
        head: Where their stream stands.
    """

    other: str
    head: Head
