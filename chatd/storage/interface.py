"""`IMessageStore`: the interface of a store of messages.

A store keeps *streams*: one for each room, and one for the direct messages of each pair of names. A
stream has an order of its own, in which each message has a `seq` that rises by one, and an *epoch*,
which names that order: under another epoch the same `seq` means another message.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from zope.interface import Interface

from chatd.storage.privateroom import PrivateRoom
from chatd.storage.values import DirectHead, Entry, Head, Outcome, Page, StreamPosition

__all__ = ["IMessageStore"]


class IMessageStore(Interface):
    """A store of messages.

    A store does appends in the order of the calls, and answers calls in the order in which it did
    them: a read that is called after an append sees the appended messages, and is answered after
    the append. A read may wait longer than a later append; then it sees that append, too.

    Every method but `open` may raise `StoreError`; then the store did nothing of the call.
    """

    def open() -> None:
        """Open the store; called once, before any other method.

        Raises:
            ConfigurationError: The kept data cannot be used; the text gives the reason in one line.
        """

    def close() -> Awaitable[None]:
        """Finish every call, and close all files."""

    def open_stream(stream: str, name: str) -> Awaitable[Head]:
        """Return where a stream stands, and begin it if it does not exist.

        A stream without messages need not outlive the process. A room's stream stays until
        `release`, others only as long as there is space for them.

        Args:
            stream: The stream's key.
            name: The room's name as it is spelled, for a stream that this call begins or that
                another method began without a name; empty for a direct stream.
        """

    def append(entries: Sequence[Entry]) -> Awaitable[list[Outcome]]:
        """Give messages their places, in one transaction: all are kept, or none.

        When the call is answered, they are kept as surely as the store promises. A stream that does
        not exist is begun.

        Returns:
            The outcome of each entry, in order. An entry with the author and the id of a message
            that the stream keeps, or of an earlier entry, is not appended again: if content and
            content type are the same, the outcome is the earlier message, otherwise `id-reused`.
            Messages beyond the retention go when all entries have their places.
        """

    def read(
        stream: str,
        *,
        after: int | StreamPosition | None = None,
        before: int | None = None,
        limit: int,
        max_bytes: int,
    ) -> Awaitable[Page]:
        """Read a part of a stream; messages beyond the retention are never read.

        With `after`: the oldest messages whose `seq` is higher. With `before`: the newest whose
        `seq` is lower. With neither: the newest. Not both.

        Args:
            stream: The stream's key; a stream that does not exist is begun.
            after: See above; 0 for all. `chatd.storage.paging` finds where to read on after a
                position.
            before: See above.
            limit: The most messages, 1 or more.
            max_bytes: The most bytes of content; the first message is read in any case.
        """

    def set_topic(stream: str, topic: str) -> Awaitable[None]:
        """Set a room's topic, which is kept as long as its stream."""

    def release(stream: str) -> Awaitable[None]:
        """Note that a room is empty: its stream ends if it keeps no message.

        A stream that is begun again has another epoch.
        """

    def rooms(after: str = "", *, limit: int) -> Awaitable[list[Head]]:
        """Return where the rooms stand that keep a message, in the order of their folded names.

        Args:
            after: The folded name after which to begin.
            limit: The most rooms.
        """

    def conversations(author: str, after: str = "", *, limit: int) -> Awaitable[list[DirectHead]]:
        """Return where a name's direct messages stand, for each other name with a kept message.

        They come in the order of the other folded names.

        Args:
            author: The folded name.
            after: The folded name after which to begin.
            limit: The most conversations.
        """

    def private_rooms() -> Awaitable[list[PrivateRoom]]:
        """Return all private rooms, in the order of their folded names."""

    def keep_private(room: PrivateRoom, *, instead_of: PrivateRoom | None) -> Awaitable[bool]:
        """Keep a private room, unless another daemon has changed it meanwhile.

        When the call is answered, it is kept as surely as a message.

        Args:
            room: The room.
            instead_of: The room before the change; None for a room that was not private.

        Returns:
            Whether the room was as in `instead_of`; else nothing changed.
        """

    def drop_private(room: PrivateRoom) -> Awaitable[bool]:
        """Forget a private room, unless another daemon has changed it meanwhile.

        Returns:
            Whether the room was as given; else nothing changed.
        """

    def expire() -> Awaitable[None]:
        """Drop the messages that are too old; called now and then."""
