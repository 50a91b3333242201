"""`HistoryPages`: an iteration over the pages of a history, from the newest to the oldest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from twisted.internet.defer import Deferred

from chatd.client.refusals import malformed
from chatd.client.results import History
from chatd.errors import ErrorCode, RequestError

__all__ = ["HistoryPages"]


class HistoryPages(AsyncIterator[History]):
    """Reads a history page by page; each page is read when the program asks for it.

    After an error, the iteration can go on: it reads the same page again.

    Args:
        read: Reads the newest page before a `seq`; None for the newest of all.
        before: The `seq` to begin before, or None.
        epoch: The epoch of `before`, or None.
    """

    def __init__(
        self,
        read: Callable[[int | None], Deferred[History]],
        before: int | None,
        epoch: str | None,
    ) -> None:
        self._read = read
        self._before = before
        self._epoch = None if before is None else epoch
        self._is_over = False

    async def __anext__(self) -> History:
        """Return the next page.

        Raises:
            StopAsyncIteration: There are no earlier messages.
            RequestError: The server refuses, its answer is malformed, or the epoch is another.
            SessionEnded: The session ended first.
        """
        if self._is_over:
            raise StopAsyncIteration
        page = await self._read(self._before)
        if self._epoch not in (None, page.epoch):
            text = "these messages have a new order; begin again with the newest message"
            raise RequestError(ErrorCode.BAD_REQUEST, text)
        first = self._check(page)
        self._epoch, self._before = page.epoch, first
        self._is_over = page.complete
        if first is None:
            raise StopAsyncIteration
        return page

    def _check(self, page: History) -> int | None:
        """Return the `seq` of a page's first message; None for an empty page, which is the last.

        Raises:
            RequestError: The page does not lead back to the oldest message.
        """
        places = [message.seq for message in page.messages]
        if not places and page.complete:
            return None
        rising = [place for place in places if place is not None]
        is_rising = places == sorted(set(rising))
        if not rising or not is_rising or rising[-1] >= (self._before or rising[-1] + 1):
            raise malformed("its history does not lead back")
        return rising[0]
