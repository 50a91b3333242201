"""`IMessageStore`: what a store of messages does.

A store keeps *streams*: one for each room, and one for the direct messages of each pair of names. A
stream has an order of its own, in which each message has a `seq` that rises by one, and an *epoch*,
which names that order: under another epoch the same `seq` means another message.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from zope.interface import Interface

from chatd.storage.values import DirectHead, Entry, Head, Outcome, Page, StreamPosition

__all__ = ["IMessageStore"]


class IMessageStore(Interface):
    """A store of messages.

    What is said is stored in the order in which that is asked, and answers are given in the order
    in which things are done: whoever reads after an append has begun sees what it appended, and
    learns of it after the append is answered. To look something up may wait for longer than what
    is asked after it; then it sees that, too.

    Every method but `open` may raise `StoreError`; then nothing of what it was asked is done.
    """

    def open() -> None:
        """Make ready; called once, before all else.

        Raises:
            ConfigurationError: What is kept cannot be used; the text says why, in one line.
        """

    def close() -> Awaitable[None]:
        """Finish what was asked, and let go of everything."""

    def open_stream(stream: str, name: str) -> Awaitable[Head]:
        """Say where a stream stands, and begin it if there is none.

        A stream that was begun and in which nothing was said need not outlive the process; that of
        a room stays until `release`, others only as long as there is space for them.

        Args:
            stream: The stream's key.
            name: The room's name as it is spelled, for one that is begun, or that was begun without
                a name by what else was asked; empty for other streams.
        """

    def append(entries: Sequence[Entry]) -> Awaitable[list[Outcome]]:
        """Give messages their places, in one transaction: all are kept, or none.

        When it is done, they are kept as surely as the store promises. A stream that is not there
        is begun.

        Returns:
            What became of each, in order. An entry whose author and id are those of a message that
            is kept in the stream, or that is before it in `entries`, is not appended again: if
            content and content type are the same, the outcome is that message, else `id-reused`.
            What retention does not allow goes when all of `entries` have their places.
        """

    def read(
        stream: str,
        *,
        after: int | StreamPosition | None = None,
        before: int | None = None,
        limit: int,
        max_bytes: int,
    ) -> Awaitable[Page]:
        """Read a part of a stream; what retention no longer allows is never read.

        With `after`: the oldest messages whose `seq` is higher. With `before`: the newest whose
        `seq` is lower. With neither: the newest. Not both.

        Args:
            stream: The stream's key; one that is not there is begun.
            after: See above; 0 for all. A position is read from where `resume_from` says.
            before: See above.
            limit: How many messages at most, 1 or more.
            max_bytes: How many bytes of content at most; the first message is read in any case.
        """

    def set_topic(stream: str, topic: str) -> Awaitable[None]:
        """Set a room's topic, which is kept as long as the room's stream."""

    def release(stream: str) -> Awaitable[None]:
        """Take note that nobody is in a room any more: if nothing is kept in it, it is gone.

        It is asked only when the room is empty. A stream that is begun again has another epoch.
        """

    def rooms(after: str = "", *, limit: int) -> Awaitable[list[Head]]:
        """Return where the rooms stand in which something is kept, by their folded names.

        Args:
            after: The folded name after which to begin.
            limit: How many at most.
        """

    def conversations(author: str, after: str = "", *, limit: int) -> Awaitable[list[DirectHead]]:
        """Return with whom someone has spoken directly, as far as something of it is kept.

        They come by the folded names of the others.

        Args:
            author: The folded name of that someone.
            after: The folded name after which to begin.
            limit: How many at most.
        """

    def expire() -> Awaitable[None]:
        """Drop the messages that have become too old; called now and then."""
