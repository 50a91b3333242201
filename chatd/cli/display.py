"""How what is received is shown: as text for a person, or as one JSON object a line."""

from __future__ import annotations

import base64
import re
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from chatd.wire.messages import Message

__all__ = ["Display", "JsonDisplay", "TextDisplay", "plain"]

MAX_SHOWN_BYTES = 64 * 1024
"""How much of a message is shown as text."""
MAX_SHOWN_LINES = 200
"""How many of its lines."""
# What JSON allows in a string, but terminals and readers of lines act on.
_CONTROLS = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

_HARMLESS = "\t\u200c\u200d"  # the joiners are parts of emoji, and of words in some scripts

Write = Callable[[str], None]
"""Shows one line, which has no line end yet."""


class Display(Protocol):
    """Shows what is received."""

    def message(self, message: Message) -> None:
        """Show what was said."""

    def event(self, event: dict[str, Any]) -> None:
        """Show what happened; `event` is its name."""


class JsonDisplay:
    """One JSON object a line.

    Args:
        write: What shows a line.
    """

    def __init__(self, write: Write) -> None:
        self._write = write

    def message(self, message: Message) -> None:
        """Show a message with its `text`, or with its `base64` where it is not text."""
        shown: dict[str, Any] = {
            "event": "message",
            "id": message.id,
            "room": message.room,
            "from": message.sender,
            "seq": message.seq,
            "time": message.time,
            "content_type": message.content_type,
        }
        try:
            shown["text"] = message.content.decode()
        except UnicodeDecodeError:
            shown["base64"] = base64.b64encode(message.content).decode()
        self.event(shown)

    def event(self, event: dict[str, Any]) -> None:
        """Show an event with its fields, its name first."""
        line = msgspec.json.encode({"event": event["event"], **event}).decode()
        self._write(_CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", line))


class TextDisplay:
    """Lines for a person, in which nothing that was received can control the terminal.

    Args:
        write: What shows a line.
        with_time: Whether each begins with the time.
    """

    def __init__(self, write: Write, *, with_time: bool = False) -> None:
        self._write = write
        self._with_time = with_time

    def message(self, message: Message) -> None:
        """Show who said what."""
        if message.content_type.startswith("text/"):
            text = message.content[:MAX_SHOWN_BYTES].decode("utf-8", "replace")
        else:
            text = f"[{message.content_type}, {len(message.content)} bytes]"
        first, *rest = text.splitlines() or [""]
        self._show(f"{message.sender}: {first}", message.time)
        for line in rest[: MAX_SHOWN_LINES - 1]:
            self._show(f"  {line}", message.time)
        if len(message.content) > MAX_SHOWN_BYTES or len(rest) >= MAX_SHOWN_LINES:
            self._show(f"  [cut; {len(message.content)} bytes in all]", message.time)

    def event(self, event: dict[str, Any]) -> None:
        """Show what happened, in words."""
        words = {
            "welcome": "you are {name}, in {room}" if event.get("room") else "you are {name}",
            "joined": "{name} joined",
            "left": "{name} left",
            "error": "{message} ({code})",
            "disconnected": "{reason} ({code})",
        }.get(event["event"])
        if words is not None:
            self.note(words.format_map(defaultdict(str, event)))

    def note(self, text: str) -> None:
        """Show what is not said by anyone."""
        self._show(f"* {text}", time.time())

    def _show(self, line: str, unix_time: float | None) -> None:
        if self._with_time:
            line = f"{_clock_time(unix_time)} {line}"
        self._write(plain(line))


def _clock_time(unix_time: float | None) -> str:
    try:
        return time.strftime("%H:%M", time.localtime(unix_time))
    except (OverflowError, ValueError, OSError):  # a time that no calendar has
        return "--:--"


def plain(text: str) -> str:
    """Return text with what would control a terminal shown as U+FFFD."""
    return "".join(char if char.isprintable() or char in _HARMLESS else "\ufffd" for char in text)
