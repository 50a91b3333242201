"""Pages of a stream: which messages a reader gets, in every store."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from chatd.storage.values import Head, Page, StreamPosition
from chatd.wire.messages import Message

__all__ = ["fitting", "read_page", "resume_from"]


def read_page(
    head: Head,
    after: int | StreamPosition | None,
    before: int | None,
    *,
    id_at: Callable[[int], str | None],
    up: Callable[[int], list[Message]],
    down: Callable[[int], list[Message]],
) -> Page:
    """Read a part of a stream; see `IMessageStore.read`.

    Args:
        head: Where the stream stands.
        after: See `IMessageStore.read`.
        before: See `IMessageStore.read`.
        id_at: Returns the id of a kept message, by its place.
        up: Reads as many messages as a page takes, from a place on.
        down: Reads as many messages as a page takes, before a place, the newest first.
    """
    past = head.seq + 1
    is_recovered = False
    if isinstance(after, StreamPosition):
        after, is_recovered = resume_from(head, after, id_at)
    if after is None:
        end = past if before is None else max(head.oldest, min(before, past))
        messages = down(end)
        is_complete = len(messages) == end - head.oldest
        messages.reverse()
    else:
        start = min(max(head.oldest, after + 1), past)
        messages = up(start)
        is_complete = start + len(messages) >= past
    return Page(messages, head, is_complete, is_recovered)


def resume_from(
    head: Head, position: StreamPosition, id_at: Callable[[int], str | None]
) -> tuple[int, bool]:
    """Return the place after which a reader goes on, and whether it misses no message.

    A stream does not know a position of another epoch or beyond its last message. After a copy of
    the store was put back, the message at a position may also have another id; the stream does not
    know that position either. The reader then goes on with the oldest message that is kept.

    Args:
        head: Where the stream stands.
        position: How far the reader has read.
        id_at: Returns the id of a kept message, by its place.
    """
    is_known = (
        position.epoch in (None, head.epoch)
        and position.seq <= head.seq
        and (
            position.id is None or position.seq < head.oldest or id_at(position.seq) == position.id
        )
    )
    return (position.seq, head.oldest <= position.seq + 1) if is_known else (0, False)


def fitting(messages: Iterable[Message], max_bytes: int) -> list[Message]:
    """Return the first messages, as many as fit but at least one."""
    first: list[Message] = []
    size = 0
    for message in messages:
        size += len(message.content)
        if first and size > max_bytes:
            break
        first.append(message)
    return first
