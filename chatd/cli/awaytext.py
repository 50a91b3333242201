"""`AwayText`: the text of a person at a terminal who is away."""

from __future__ import annotations

from chatd.cli.display import TextDisplay
from chatd.client.client import ChatClient
from chatd.errors import RequestError, SessionEnded

__all__ = ["AwayText"]


class AwayText:
    """Marks a person as away in each session: the server's text ends with the session.

    The name may have other sessions. They can mark it as away too, and end all its texts. The
    server does not tell of that by itself, but its lists of people have the text.

    Args:
        display: Shows notes.

    Attributes:
        is_away: Whether the name is away in any of its sessions, as far as the client knows.
    """

    def __init__(self, display: TextDisplay) -> None:
        self.is_away = False
        self._display = display
        self._text = ""
        self._is_changing = False

    @property
    def is_marked(self) -> bool:
        """Whether this client has marked the person as away."""
        return bool(self._text)

    def learn(self, text: str) -> None:
        """Note the text of the name that the server tells, or an empty text for none.

        Without a text, the person came back in another session: the mark is not set again.
        """
        if not self._is_changing:
            self.is_away = bool(text)
            self._text = self._text if text else ""

    async def use(self, client: ChatClient, text: str) -> None:
        """Mark the person as away with a text, or as back with an empty text.

        Raises:
            RequestError: The server refuses.
            SessionEnded: The session ended first.
        """
        was_away = self.is_away
        await self._mark(client, text)
        self._text = text
        self.is_away = bool(text)
        if text:
            self._display.note(f"you are away: {text}")
        else:
            self._display.note("you are back" if was_away else "you are not away")

    async def use_again(self, client: ChatClient) -> None:
        """Mark a person who was away in the last session as away in a new session."""
        self.is_away = self.is_marked
        if self._text:
            try:
                await self._mark(client, self._text)
            except RequestError as error:
                self._text = ""
                self.is_away = False
                self._display.note(f"you are no longer away: {error.message}")
            except SessionEnded:
                pass  # the next session is marked

    async def _mark(self, client: ChatClient, text: str) -> None:
        """Send the text; what the server told before its answer is no news."""
        self._is_changing = True
        try:
            await client.away(text)
        finally:
            self._is_changing = False
