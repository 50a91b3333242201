"""Messages for the person at the terminal, and the bell that announces them."""

from __future__ import annotations

import re

from chatd.chat.names import fold
from chatd.wire.messages import Message

__all__ = ["BELL", "Bell", "is_for", "mentions"]

BELL = "\a"
"""Rings the terminal's bell (ECMA-48, section 8.3.3)."""
_PAUSE_S = 1.0
"""Time after a ring in which the bell does not ring again, in seconds."""
_MAX_SEARCHED = 16 * 1024
"""Limit on the part of a message that is searched for a name, in bytes."""


class Bell:
    """Rings for messages for the person, if the person wants it.

    Attributes:
        is_on: Whether it rings; it does not at first, as in irssi.
    """

    def __init__(self) -> None:
        self.is_on = False
        self._rung: float | None = None

    def ring(self, now: float) -> str:
        """Return the character to write: many messages at once ring the bell once.

        Args:
            now: The time, in seconds.
        """
        if not self.is_on or (self._rung is not None and 0 <= now - self._rung < _PAUSE_S):
            return ""
        self._rung = now
        return BELL


def is_for(message: Message, me: str) -> bool:
    """Return whether a message of another is direct, or is a text with a name in its beginning.

    Args:
        message: The message.
        me: The name.
    """
    if not me or fold(message.sender or "") == fold(me):
        return False
    if message.to is not None:
        return True
    beginning = message.content[:_MAX_SEARCHED].decode("utf-8", "replace")
    return message.content_type.startswith("text/") and mentions(beginning, me)


def mentions(text: str, name: str) -> bool:
    """Return whether a name is a word of a text; `alice-2` does not mention `alice`."""
    # Not `fold`, which keeps what it folds.
    pattern = rf"(?<![\w-]){re.escape(name)}(?![\w-])"
    return re.search(pattern, text, re.IGNORECASE) is not None
