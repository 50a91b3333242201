"""`AwayText`: the text of a person at a terminal who is away."""

from __future__ import annotations

from chatd.cli.display import TextDisplay
from chatd.client.client import ChatClient
from chatd.errors import RequestError, SessionEnded

__all__ = ["AwayText"]


class AwayText:
    """Marks a person as away in each session: the server's text ends with the session.

    Args:
        display: Shows notes.
    """

    def __init__(self, display: TextDisplay) -> None:
        self._display = display
        self._text = ""

    @property
    def is_marked(self) -> bool:
        """Whether the person is marked as away."""
        return bool(self._text)

    async def use(self, client: ChatClient, text: str) -> None:
        """Mark the person as away with a text, or as back with an empty text.

        Raises:
            RequestError: The server refuses.
            SessionEnded: The session ended first.
        """
        was_away = self.is_marked
        await client.away(text)
        self._text = text
        if text:
            self._display.note(f"you are away: {text}")
        else:
            self._display.note("you are back" if was_away else "you are not away")

    async def use_again(self, client: ChatClient) -> None:
        """Mark a person who was away in the last session as away in a new session."""
        if self._text:
            try:
                await client.away(self._text)
            except RequestError as error:
                self._text = ""
                self._display.note(f"you are no longer away: {error.message}")
            except SessionEnded:
                pass  # the next session is marked
