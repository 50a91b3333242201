"""`Refill`: fetches the messages that did not fit into the inbox, as the program catches up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatd.chat.history import MAX_PAGE
from chatd.chat.names import fold
from chatd.client.inbox import Inbox
from chatd.client.overflow import Behind
from chatd.client.refusals import TEMPORARY, no_advance
from chatd.client.results import History
from chatd.errors import RequestError

__all__ = ["Fetching", "Refill"]


class Fetching(Protocol):
    """The interface that a refill needs of its client."""

    name: str

    def history(
        self,
        room: str | None = None,
        *,
        other: str | None = None,
        after: int | None = None,
        epoch: str | None = None,
        after_id: str | None = None,
        limit: int = 100,
    ) -> Deferred[History]:
        """Read messages after a place."""

    def tell_missed(self, room: str | None, other: str | None) -> None:
        """Tell the program that messages are missing."""

    def tell_error(self, error: RequestError) -> None:
        """Tell the program of an error that answers no request."""


class Refill:
    """Fetches the messages that did not fit into the inbox, in one session.

    Args:
        client: The client of the session.
        inbox: Its inbox.
        failed: Called with the failure if the session cannot fetch the messages, and a later one
            session may.
    """

    def __init__(self, client: Fetching, inbox: Inbox, failed: Callable[[Failure], None]) -> None:
        self._client = client
        self._inbox = inbox
        self._failed = failed
        self._is_running = False

    def begin(self) -> None:
        """Fetch now if messages wait, and each time that the program has caught up."""
        self._inbox.refill = self.run
        self.run()

    def end(self) -> None:
        """Fetch nothing more."""
        if self._inbox.refill == self.run:
            self._inbox.refill = None

    def run(self) -> None:
        """Fetch until the inbox has enough, unless a fetch is running."""
        if not self._is_running:
            self._is_running = True
            Deferred.fromCoroutine(self._fetch_all()).addErrback(self._failed)

    async def _fetch_all(self) -> None:
        try:
            while (behind := self._inbox.to_fetch()) is not None:
                await self._fetch(behind)
        finally:
            self._is_running = False

    async def _fetch(self, behind: Behind) -> None:
        """Fetch one page."""
        overflow, after = self._inbox.overflow, behind.after
        try:
            page = await self._client.history(
                behind.room,
                other=behind.other,
                after=after,
                epoch=behind.epoch,
                after_id=behind.id,
                limit=MAX_PAGE,
            )
        except RequestError as error:
            if error.code in TEMPORARY:
                raise
            self._give_up(behind, error)
            return
        if behind.after != after or not overflow.has(behind):
            return  # a new epoch began meanwhile, or the client has another name
        messages = page.messages
        if messages and (messages[-1].seq or 0) <= after:
            self._give_up(behind, no_advance())
            return
        follows = messages[0].seq == after + 1 if messages else after >= behind.newest
        is_same = behind.epoch is None or page.recovered
        if behind.has_gap or not (follows and is_same):
            behind.has_gap = False
            self._client.tell_missed(behind.room, behind.other)
        own = fold(self._client.name)
        for message in messages:
            if fold(message.sender or "") != own:
                self._inbox.keep(message)
        needs_no_more = behind.fetched(messages, page.epoch, is_complete=page.complete)
        if needs_no_more and behind.after <= behind.newest:
            overflow.remove(behind)
        else:
            overflow.move_back(behind)

    def _give_up(self, behind: Behind, error: RequestError) -> None:
        self._inbox.overflow.remove(behind)
        self._client.tell_error(error)
        self._client.tell_missed(behind.room, behind.other)
