"""`Search`: a search through the stored messages of a room, or of a conversation."""

from __future__ import annotations

import unicodedata
from itertools import accumulate

from chatd.chat.history import MAX_PAGE
from chatd.cli.days import date_and_time
from chatd.cli.display import MAX_SHOWN_BYTES
from chatd.cli.pagetitles import page_title
from chatd.cli.places import Place
from chatd.client.client import ChatClient
from chatd.wire.messages import Message

__all__ = ["Search", "excerpt"]

MAX_FOUND = 20
"""Limit on the messages that a search finds before it stops."""
MAX_SEARCHED = 10_000
"""Number of messages after which a search stops."""
MAX_SEARCHED_BYTES = 32 * 1024 * 1024
"""Size of the messages after which a search stops, in bytes."""
MAX_EXCERPT = 200
"""Limit on the shown part of a message that was found, in characters."""
_BEFORE = 60
"""Number of characters shown before the text that was found, where the message is longer."""
_MAX_REPEATED = 40
"""Limit on the text that a summary repeats, in characters."""


class Search:
    """A search for a text, from the newest message back to the oldest.

    It compares texts without regard to case, Unicode form and the kind of white space. Each `run`
    is bounded; the next one goes on where the last one stopped.

    Args:
        place: The place to search in.
        text: The text; not empty.

    Attributes:
        is_over: Whether all stored messages are searched.
    """

    def __init__(self, place: Place, text: str) -> None:
        self.is_over = False
        self._place = place
        self._text = _plain_spaces(text)
        self._page: list[Message] = []
        self._found = self._searched = 0
        self._epoch: str | None = None
        self._before: int | None = None
        self._back_to: float | None = None

    @property
    def page(self) -> tuple[str, list[Message]]:
        """What the last run has found: a title, and the messages, in order.

        The content of each message is the part of it that has the text.
        """
        number = len(self._page)
        where = f"{self._place} containing {self._quoted}"
        return page_title(number, where, is_newest=number == self._found), self._page[::-1]

    @property
    def summary(self) -> str:
        """How far the search has come, in words."""
        place = self._place
        if not self._searched:
            return f"there are no messages {place}" if self.is_over else "nothing is searched yet"
        many = "1 message" if self._searched == 1 else f"{self._searched:,} messages"
        far = "all that the server keeps"
        if not self.is_over:
            far = f"back to {date_and_time(self._back_to)}; /search goes on"
        if self._page:  # its title tells the rest
            return f"searched {many}, {far}"
        found = f"{self._found:,}" if self._found else "nothing"
        return f"{self._quoted}: {found} found; searched {many} {place}, {far}"

    @property
    def _quoted(self) -> str:
        text = self._text
        return f"“{text}”" if len(text) <= _MAX_REPEATED else f"“{text[: _MAX_REPEATED - 1]}…”"

    async def run(self, client: ChatClient) -> None:
        """Search on, until enough is found or searched, or nothing is left.

        Args:
            client: The client.

        Raises:
            RequestError: The server refuses, or the messages have another epoch than before.
            SessionEnded: The session ended first.
        """
        self._page = []
        if self.is_over:
            return
        searched, size = self._searched, 0
        async for page in client.history_pages(
            self._place.room,
            other=self._place.other,
            before=self._before,
            epoch=self._epoch,
            limit=MAX_PAGE,
        ):
            self._epoch = page.epoch
            for message in reversed(page.messages):
                self._look_at(message)
                size += len(message.content)
                if len(self._page) == MAX_FOUND:
                    break
            self.is_over = page.complete and self._before == page.messages[0].seq
            enough = len(self._page) == MAX_FOUND or self._searched - searched >= MAX_SEARCHED
            if self.is_over or enough or size >= MAX_SEARCHED_BYTES:
                return
        self.is_over = True

    def _look_at(self, message: Message) -> None:
        self._before, self._back_to = message.seq, message.time
        self._searched += 1
        part = excerpt(message, self._text)
        if part is not None:
            self._found += 1
            self._page.append(Message(message.type, message.header, part.encode()))


def excerpt(message: Message, text: str) -> str | None:
    """Return the part of a message that has a text, in one line.

    Args:
        message: The message; only the part that a terminal shows is searched.
        text: The text.

    Returns:
        The part, or None if the message does not have the text.
    """
    if not message.content_type.startswith("text/"):
        return None
    said = _plain_spaces(message.content[:MAX_SHOWN_BYTES].decode("utf-8", "replace"))
    folded = said.casefold()
    at = folded.find(_plain_spaces(text).casefold())
    if at < 0:
        return None
    if len(said) <= MAX_EXCERPT:
        return said
    if len(folded) != len(said):  # some characters are folded to several
        ends = accumulate(len(char.casefold()) for char in said)
        at = next(index for index, end in enumerate(ends) if end > at)
    start = max(0, at - _BEFORE)
    part = said[start : start + MAX_EXCERPT]
    after = "…" if start + MAX_EXCERPT < len(said) else ""
    return f"{'…' if start else ''}{part}{after}"


def _plain_spaces(text: str) -> str:
    """Return a text in Unicode's composed form, with single spaces between its words."""
    return " ".join((text if text.isascii() else unicodedata.normalize("NFC", text)).split())
