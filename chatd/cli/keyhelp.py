"""The text of `/help keys`."""

from __future__ import annotations

__all__ = ["TERMINAL_KEYS", "key_help"]

TERMINAL_KEYS = {
    "Tab, Shift+Tab": "complete a command, a room or a name",
    "Alt+1 to Alt+9, Alt+0": "go to the place with this number",
    "Alt+A": "go to a place with unread messages",
    "Alt+Enter": "start a new line in a message",
    "Up, Down": "bring back earlier lines",
    "Ctrl+C": "clear the line; at an empty line, quit",
    "Ctrl+U": "clear all of the message; Up brings it back",
    "Ctrl+D": "at an empty line, quit",
    "Ctrl+L": "clear the screen",
    "Ctrl+Z": "suspend the client; fg returns",
}
"""What each key does, in the order of `docs/reference/terminal.md`."""


def key_help() -> list[str]:
    """Return a line for each key."""
    width = max(map(len, TERMINAL_KEYS))
    return [f"{key:{width}}  {what}" for key, what in TERMINAL_KEYS.items()]
