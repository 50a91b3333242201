"""The output for received messages and events: text for people, or one JSON object a line."""

from __future__ import annotations

import base64
import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from chatd.chat.names import fold
from chatd.cli.attention import Bell, is_for
from chatd.cli.colours import PLAIN, Ink
from chatd.cli.days import Days, time_of_day
from chatd.cli.typed import action_in
from chatd.errors import ErrorCode
from chatd.wire.messages import Message

__all__ = ["Display", "JsonDisplay", "QuietDisplay", "TextDisplay", "date_and_time", "plain"]

MAX_SHOWN_BYTES = 64 * 1024
"""Limit on the shown content of a message, in bytes."""
MAX_SHOWN_LINES = 200
"""Limit on the shown lines of a message."""
# JSON allows these in a string, but terminals and readers of lines act on them.
_CONTROLS = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

_HARMLESS = "\t\u200c\u200d"  # the joiners are parts of emoji, and of words in some scripts

_WORDS = {
    "welcome": "you are {name}{inside}",
    "joined": "{name} joined{there}",
    "left": "{name} left{there}",
    "invited": "{name} invites you to {room}; /join {room} enters it",
    "removed": "you were removed from {room}: only invited people may be there",
    "topic": "{name} set the topic{its}: {topic}",
    "no-topic": "{name} cleared the topic{its}",
    "renamed": "{old_name} is now called {name}",
    "absent": "{name} is not connected; the server keeps the message for that name",
    "away": "{name} is away: {text}",
    "error": "{message} ({code})",
    "disconnected": "{reason} ({code})",
    "kicked": "you were kicked: {reason}",
}

Write = Callable[[str], None]
"""Writes one line; the line is passed without its line end."""


class Display(Protocol):
    """Shows received messages and events."""

    def message(self, message: Message, me: str) -> None:
        """Show a message to the person whose name is `me`."""

    def event(self, event: dict[str, Any]) -> None:
        """Show an event; its field `event` is its name."""


class JsonDisplay:
    """Prints one JSON object a line.

    Args:
        write: Writes a line.
    """

    def __init__(self, write: Write) -> None:
        self._write = write

    def message(self, message: Message, me: str = "") -> None:
        """Show a message with its `text`, or with its `base64` if it is not UTF-8."""
        shown: dict[str, Any] = {
            "event": "message",
            "id": message.id,
            "room": message.room,
            "from": message.sender,
            **({} if message.to is None else {"to": message.to}),
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


class QuietDisplay:
    """Shows nothing but errors that answer no request.

    Args:
        complain: Shows an error, one line.
    """

    def __init__(self, complain: Write) -> None:
        self._complain = complain

    def message(self, message: Message, me: str = "") -> None:
        """Show nothing."""

    def event(self, event: dict[str, Any]) -> None:
        """Show an error; its text may come from the server."""
        if event["event"] == "error":
            self._complain(_WORDS["error"].format_map(event))


class _Name(str):
    """A part of a line that is the name of a person."""

    __slots__ = ()


class TextDisplay:
    """Prints lines for people; received text cannot control the terminal.

    Args:
        write: Writes a line.
        with_time: Whether each line begins with the time.
        with_rooms: Returns whether each line names its room.
        ink: The colours of names.
        unix_time: Returns the time for events and notes, in Unix seconds.

    Attributes:
        bell: Rings for messages that are meant for the person.
    """

    def __init__(
        self,
        write: Write,
        *,
        with_time: bool = False,
        with_rooms: Callable[[], bool] = lambda: False,
        ink: Ink = PLAIN,
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        self._write = write
        self._with_time = with_time
        self._with_rooms = with_rooms
        self._ink = ink
        self._unix_time = unix_time
        self._days = Days(unix_time())
        self.bell = Bell()

    def message(
        self,
        message: Message,
        me: str = "",
        *,
        is_earlier: bool = False,
        with_date: bool = False,
    ) -> None:
        """Show a message with its sender, and its room or receiver.

        A message that is meant for the person stands out and rings the bell, if it is new.

        Args:
            message: The message.
            me: The name of the person at the terminal; direct messages show it as `you`.
            is_earlier: Whether to mark it as an earlier message.
            with_date: Whether its time has the date.
        """
        if message.content_type.startswith("text/"):
            text = message.content[:MAX_SHOWN_BYTES].decode("utf-8", "replace")
        else:
            text = f"[{message.content_type}, {len(message.content)} bytes]"
        is_for_you = not is_earlier and is_for(message, me)
        first, *rest = text.splitlines() or [""]
        with_room = self._with_rooms() and not is_earlier  # the title names it
        lines: list[tuple[str, ...]] = [self._first_line(message, first, me, with_room=with_room)]
        lines += [(f"  {line}",) for line in rest[: MAX_SHOWN_LINES - 1]]
        if len(message.content) > MAX_SHOWN_BYTES or len(rest) >= MAX_SHOWN_LINES:
            lines.append((f"  [cut; {len(message.content)} bytes in all]",))
        ring = self.bell.ring(self._unix_time()) if is_for_you else ""
        for line in lines:
            self._show(
                message.time,
                *line,
                is_earlier=is_earlier,
                with_date=with_date,
                is_for_you=is_for_you,
                ring=ring,
            )
            ring = ""

    def event(self, event: dict[str, Any]) -> None:
        """Show an event in words; an event without words here is not shown."""
        fields = defaultdict(str, event)
        if self._with_rooms() and fields["room"]:
            fields["there"], fields["its"] = f" {fields['room']}", f" of {fields['room']}"
        fields["inside"] = _in_rooms(event)
        what = event["event"]
        if what == "topic" and not fields["topic"]:
            what = "no-topic"
        elif what == "disconnected" and fields["code"] == ErrorCode.KICKED:
            what = "kicked"
        words = _WORDS.get(what)
        if words is not None:
            self.note(words.format_map(fields))

    def note(self, text: str) -> None:
        """Show a line that is not a message."""
        self._show(self._unix_time(), f"* {text}")

    def new_day(self) -> None:
        """Show the date, if the day has changed since the last line."""
        self._show_day(self._unix_time())

    def _first_line(
        self, message: Message, text: str, me: str, *, with_room: bool
    ) -> tuple[str, ...]:
        sender = _Name(message.sender or "")
        action = action_in(text)
        if message.to is not None:
            is_mine, is_to_me = (fold(name) == fold(me) for name in (sender, message.to))
            head = "you" if is_mine else sender, " → ", "you" if is_to_me else _Name(message.to)
            return (
                (*head, f": {text}") if action is None else (*head, ": ** ", sender, f" {action}")
            )
        place = f"[{message.room}] " if message.room and with_room else ""
        return (
            (place, sender, f": {text}") if action is None else (place, "** ", sender, f" {action}")
        )

    def _show(
        self,
        unix_time: float | None,
        *parts: str,
        is_earlier: bool = False,
        with_date: bool = False,
        is_for_you: bool = False,
        ring: str = "",
    ) -> None:
        """Show a line; received text is made harmless here, and only here."""
        ink = PLAIN if is_earlier else self._ink
        shown = (
            ink.name(plain(part)) if isinstance(part, _Name) else plain(part) for part in parts
        )
        line = ("| " if is_earlier else "") + "".join(shown)
        if is_for_you:
            line = self._ink.for_you(line)
        if self._with_time:
            if with_date:
                line = f"{date_and_time(unix_time)} {line}"
            else:
                self._show_day(unix_time)
                line = f"{time_of_day(unix_time)} {line}"
        self._write(ring + (self._ink.earlier(line) if is_earlier else line))

    def _show_day(self, unix_time: float | None) -> None:
        line = self._days.line_before(unix_time)
        if line is not None:
            self._write(self._ink.earlier(line))


def _in_rooms(welcome: Mapping[str, Any]) -> str:
    """Return the words for the rooms of a welcome; none if it has no rooms."""
    told_rooms = welcome.get("rooms")
    told_rooms = told_rooms if isinstance(told_rooms, list) else []
    rooms = [str(told["room"]) for told in told_rooms if isinstance(told, dict) and "room" in told]
    if not rooms and welcome.get("room"):
        rooms = [str(welcome["room"])]
    return f", in {', '.join(rooms)}" if rooms else ""


def date_and_time(unix_time: float | None) -> str:
    """Return the date and the time of day, to the minute."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(unix_time))
    except (OverflowError, ValueError, OSError):  # too far away for the calendar
        return "an unknown date"


def plain(text: str) -> str:
    """Return text with characters that could control a terminal replaced by U+FFFD."""
    return "".join(char if char.isprintable() or char in _HARMLESS else "\ufffd" for char in text)
