"""`Browsing`: how far back a person has read and searched."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from twisted.internet.defer import CancelledError, Deferred, DeferredLock

from chatd.cli.pagetitles import page_title
from chatd.cli.places import Place
from chatd.cli.searching import Search
from chatd.client.client import ChatClient
from chatd.errors import SessionEnded
from chatd.wire.messages import Message

__all__ = ["FIRST_PAGE", "MAX_IN_SIGHT", "MAX_MARKS", "Browsing"]

FIRST_PAGE = 20
"""Number of messages in a page, unless the person gives another number."""
MAX_IN_SIGHT = 30
"""Number of lines after which those before them are taken for out of sight."""
MAX_MARKS = 100
"""Limit on the rooms and conversations in which the last page is known."""


class _Mark(NamedTuple):
    """The last page that a person saw in a place.

    Attributes:
        epoch: The epoch of the messages.
        before: The `seq` of the first message; None if the server keeps no earlier messages.
        limit: The number of messages in a page.
        until_line: The number of the shown line from which on the mark no longer counts; None if it
            counts until the screen is cleared.
    """

    epoch: str
    before: int | None
    limit: int
    until_line: int | None = None


class Browsing:
    """Knows the last page that a person saw in each place, and runs one search at a time.

    Args:
        lines: Returns the number of lines shown until now.
    """

    def __init__(self, lines: Callable[[], int]) -> None:
        self._lines = lines
        self._marks: dict[tuple[bool, str], _Mark] = {}
        self._lock = DeferredLock()
        self._running: Deferred[None] | None = None
        self.search: Search | None = None
        """The latest search, which can go on where it stopped."""

    # Pages

    def begin_again(self, place: Place) -> None:
        """Begin with the newest page of a place next time."""
        self._marks.pop(place.key, None)

    def screen_cleared(self) -> None:
        """Begin with the newest page of each place next time: the last pages are out of sight."""
        self._marks.clear()

    def shown(self, place: Place, epoch: str, before: int | None) -> None:
        """Note the first message that joining or connecting shows in a place.

        The next page ends there, unless so many lines are shown until then that the messages are
        out of sight.

        Args:
            place: The place.
            epoch: The epoch of the messages.
            before: The `seq` of the first message; None if the server keeps no earlier messages.
        """
        self._mark(place, _Mark(epoch, before, FIRST_PAGE, self._lines() + MAX_IN_SIGHT))

    def _mark(self, place: Place, mark: _Mark) -> None:
        self.begin_again(place)  # the mark that was set last is the last in the dictionary
        if len(self._marks) >= MAX_MARKS:
            del self._marks[next(iter(self._marks))]
        self._marks[place.key] = mark

    async def page(
        self, client: ChatClient, place: Place, limit: int | None
    ) -> tuple[str, list[Message]]:
        """Read the page before the page that was read last.

        Args:
            client: The client.
            place: The place to read in.
            limit: The number of messages to read, the newest ones; None to go on.

        Returns:
            A title, and the messages, in order.

        Raises:
            RequestError: The server refuses.
            SessionEnded: The session ended first.
        """
        await self._lock.acquire()  # the next call goes on from the page that this call reads
        try:
            if limit is not None:
                self.begin_again(place)
            return await self._page(client, place, limit or FIRST_PAGE)
        finally:
            self._lock.release()

    async def _page(
        self, client: ChatClient, place: Place, limit: int
    ) -> tuple[str, list[Message]]:
        mark = self._marks.get(place.key)
        if mark is not None and mark.until_line is not None and self._lines() > mark.until_line:
            mark = None
        before = None if mark is None else mark.before
        if mark is not None:
            limit = mark.limit
            if before is None:
                return _no_earlier(place, limit), []
        room, other = place
        page = await client.history(room, other=other, before=before, limit=limit)
        if mark is not None and page.epoch != mark.epoch:  # the server no longer keeps that page
            before = None
            page = await client.history(room, other=other, limit=limit)
        messages = page.messages
        if not messages:
            empty = f"there are no messages {place}"
            return empty if before is None else _no_earlier(place, limit), []
        first = None if page.complete else messages[0].seq
        self._mark(place, _Mark(page.epoch, first, limit))
        is_newest, is_oldest = before is None, first is None
        title = page_title(len(messages), str(place), is_newest=is_newest, is_oldest=is_oldest)
        return title, messages

    # Searching

    async def find(self, client: ChatClient, search: Search) -> str:
        """Search, or let a search go on; its `page` has what it found, also after an error.

        Args:
            client: The client.
            search: The search; it replaces the earlier search.

        Returns:
            How far it searched.

        Raises:
            RequestError: The server refuses.
            SessionEnded: The session ended first, on this side.
        """
        self.stop_search()
        self.search = search
        self._running = running = Deferred.fromCoroutine(search.run(client))
        try:
            await running
        except CancelledError:
            return f"the search was stopped: {search.summary}"
        except SessionEnded as end:
            if end.is_clean:
                raise
            return f"the connection was lost: {search.summary}"
        return search.summary

    def stop_search(self) -> None:
        """Stop the search that is running, if there is one."""
        running, self._running = self._running, None
        if running is not None:
            running.cancel()


def _no_earlier(place: Place, limit: int) -> str:
    again = f"/history {limit}" if place.room else f"/history with {place.other} {limit}"
    return f"the server keeps no messages {place} before those; {again} shows the last again"
