"""`HistoryCommands`: the commands that read earlier messages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any
from uuid import uuid4

import msgspec
from twisted.internet.defer import Deferred, fail

from chatd.arguments import check_number, check_numbers_or_none, check_texts_or_none
from chatd.chat.history import MAX_PAGE
from chatd.client.fields import Epoch, convert, given
from chatd.client.historypages import HistoryPages
from chatd.client.pages import Pages
from chatd.client.refusals import malformed
from chatd.client.results import History
from chatd.errors import ErrorCode, LocalProtocolError, RequestError
from chatd.transport.promise import promised

__all__ = ["HistoryCommands"]


class _HistoryResult(msgspec.Struct):
    epoch: Epoch = ""
    count: Annotated[int, msgspec.Meta(ge=0)] = 0
    complete: bool = False
    recovered: bool = False


class HistoryCommands:
    """The commands that read earlier messages, as methods of a client."""

    def __init__(self) -> None:
        self._pages = Pages()

    def history(
        self,
        room: str | None = None,
        *,
        other: str | None = None,
        after: int | None = None,
        before: int | None = None,
        epoch: str | None = None,
        after_id: str | None = None,
        limit: int = 100,
    ) -> Deferred[History]:
        """Read earlier messages of a room, or direct messages with another name.

        With `after`, these are the oldest messages after that place; otherwise they are the newest
        messages, before `before` if it is given.

        Args:
            room: A room that this client is in. Give either `room` or `other`.
            other: The name of the other person in an exchange of direct messages.
            after: A `seq`, or None; 0 for the oldest stored message on.
            before: A `seq`, or None.
            epoch: With `after`, the epoch of that `seq`.
            after_id: With `after`, the id of that message. If the server has another epoch or id
                there, the answer is not `recovered`, and begins with the oldest stored message.
            limit: Limit on the number of messages, 1 to 500.

        Returns:
            A Deferred that fires with the messages. They reach neither the hooks nor the iteration.

        Raises:
            LocalProtocolError: `limit` is out of its range.
        """
        check_texts_or_none(room=room, other=other, epoch=epoch, after_id=after_id)
        check_numbers_or_none(after=after, before=before)
        check_number("limit", limit)
        if not 1 <= limit <= MAX_PAGE:
            raise LocalProtocolError(f"limit must be 1 to {MAX_PAGE}, not {limit}")
        if (room is None) is (other is None):
            return promised(
                fail(RequestError(ErrorCode.BAD_REQUEST, "give either `room` or `other`"))
            )
        place = {"with": other, "after": after, "before": before, "after_id": after_id}
        fields = given(room=room, epoch=epoch, limit=limit, **place)

        def read(result: dict[str, Any]) -> History:
            answer = convert(result, _HistoryResult)
            if answer.count != len(page.messages):
                raise malformed("its count of messages is wrong")
            return History(page.messages, answer.epoch, answer.complete, answer.recovered)

        command_id = uuid4().hex
        asked = self._give(command_id, "history", fields)
        page = self._pages.begin(command_id, limit)
        return asked.addCallback(read)

    def history_pages(
        self,
        room: str | None = None,
        *,
        other: str | None = None,
        before: int | None = None,
        epoch: str | None = None,
        limit: int = 100,
    ) -> AsyncIterator[History]:
        """Iterate over all stored messages of a room, or with another name, page by page.

        The newest page comes first; within a page, the messages are in order. No page is empty. A
        page is read when the program asks for it, so stop whenever you have enough::

            async for page in client.history_pages("lobby"):
                for message in reversed(page.messages):
                    print(message.sender, message.text)

        Args:
            room: A room that this client is in. Give either `room` or `other`.
            other: The name of the other person in an exchange of direct messages.
            before: A `seq`: begin with the messages before it; None to begin with the newest.
            epoch: With `before`, the epoch of that `seq`. If the server has another epoch, the
                iteration fails.
            limit: Limit on the number of messages in a page, 1 to 500.

        Returns:
            The pages. The last page is `complete`. The iteration fails with `RequestError` if the
            server refuses, or if the messages get another epoch, and with `SessionEnded`
            if the session ends.
        """

        def read(before: int | None) -> Deferred[History]:
            return self.history(room, other=other, before=before, limit=limit)

        return HistoryPages(read, before, epoch)

    # Implemented by the client

    def _give(
        self, command_id: str, command: str, fields: Mapping[str, object]
    ) -> Deferred[dict[str, Any]]:
        """Send a command with an id."""
        raise NotImplementedError
