"""The output for received messages and events: text for people, or one JSON object a line."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from chatd.chat.names import fold
from chatd.cli.attention import Bell, is_for
from chatd.cli.colours import PLAIN, Ink
from chatd.cli.cutting import rows_of
from chatd.cli.days import Days, date_and_time, time_of_day
from chatd.cli.eventwords import words_of
from chatd.cli.movements import Movements
from chatd.cli.printable import escaped, plain
from chatd.cli.typed import action_in
from chatd.cli.widths import width_of, wrapped
from chatd.wire.messages import Message

__all__ = ["Display", "JsonDisplay", "QuietDisplay", "TextDisplay"]

MAX_SHOWN_BYTES = 64 * 1024
"""Limit on the shown content of a message, in bytes."""
MAX_SHOWN_LINES = 200
"""Limit on the shown lines of a message."""

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
        self._write(escaped(line))


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
            self._complain(words_of(event) or "")


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
        columns: Returns the width at which lines are broken between words; None for no limit.
        with_cuts: Whether a long new message is cut to some rows, as `chatd.cli.cutting` does.
        is_here: Returns whether `/history` shows the messages of a message's place, which is the
            current place; called with the message and the name of the person at the terminal.
        unix_time: Returns the time for events and notes, in Unix seconds.

    Attributes:
        bell: Rings for messages that are meant for the person.
        lines: The number of shown lines.
    """

    def __init__(
        self,
        write: Write,
        *,
        with_time: bool = False,
        with_rooms: Callable[[], bool] = lambda: False,
        ink: Ink = PLAIN,
        columns: Callable[[], int | None] = lambda: None,
        with_cuts: bool = False,
        is_here: Callable[[Message, str], bool] = lambda message, me: True,
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        self._write = write
        self._with_time = with_time
        self._with_rooms = with_rooms
        self._ink = ink
        self._columns = columns
        self._with_cuts = with_cuts
        self._is_here = is_here
        self._unix_time = unix_time
        self._days = Days(unix_time())
        self._movements = Movements(self._show_event, lambda call: call())
        self.bell = Bell()
        self.lines = 0

    def message(
        self,
        message: Message,
        me: str = "",
        *,
        is_earlier: bool = False,
        with_date: bool = False,
        is_whole: bool = False,
        is_repeated: bool = False,
    ) -> None:
        """Show a message with its sender, and its room or receiver.

        A message for the person is bold and rings the bell, if it is new.

        Args:
            message: The message.
            me: The name of the person at the terminal; direct messages show it as `you`.
            is_earlier: Whether to mark it as an earlier message.
            with_date: Whether its time has the date, unless it is of today.
            is_whole: Whether to show it as far as the limits of a message allow, in many rows.
            is_repeated: Whether it was shown before, and so does not ring the bell again.
        """
        is_for_you = not is_earlier and is_for(message, me)
        first, *rest = self._lines_of(message, me, is_whole=is_whole)
        with_room = self._with_rooms() and not is_earlier  # the title names it
        lines: list[tuple[str, ...]] = [self._first_line(message, first, me, with_room=with_room)]
        lines += [("  ", line) for line in rest]
        rings = is_for_you and not is_repeated
        ring = self.bell.ring(self._unix_time()) if rings else ""
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
        if not self._movements.take(event):
            self._show_event(event)

    def _show_event(self, event: Mapping[str, Any], *, is_several: bool = False) -> None:
        words = words_of(event, with_room=is_several or self._with_rooms())
        if words is not None:
            self.note(words)

    def gather(self, later: Callable[[Callable[[], None]], object]) -> None:
        """Show in one line all rooms that a person joins or leaves at about the same time.

        Args:
            later: Calls a function a moment later.
        """
        self._movements = Movements(self._show_event, later)

    def flush(self) -> None:
        """Show the events that wait for others."""
        self._movements.flush()

    def note(self, text: str) -> None:
        """Show a line that is not a message."""
        self._show(self._unix_time(), "* ", text)

    def rule(self, text: str) -> None:
        """Show a line that separates the lines before from those after it."""
        self._write_line(self._ink.earlier(f"--- {text} ---"))

    def new_day(self) -> None:
        """Show the date, if the day has changed since the last line."""
        self._show_day(self._unix_time())

    def _lines_of(self, message: Message, me: str, *, is_whole: bool) -> list[str]:
        """Return the lines to show of a message; the last tells of a cut."""
        size = len(message.content)
        if not message.content_type.startswith("text/"):
            return [f"[{message.content_type}, {size} bytes]"]
        text = message.content[:MAX_SHOWN_BYTES].decode("utf-8", "replace")
        found = text.splitlines() or [""]
        lines = found[:MAX_SHOWN_LINES]
        more = ""
        if self._with_cuts and not is_whole:
            rows = rows_of(lines, self._columns())
            if rows != lines and self._is_here(message, me):
                more = "; /history 20 shows more"
            lines = rows
        if lines == found and size <= MAX_SHOWN_BYTES:
            return lines
        return [*lines, f"[cut; {size} bytes in all{more}]"]

    def _first_line(
        self, message: Message, text: str, me: str, *, with_room: bool
    ) -> tuple[str, ...]:
        sender = _Name(message.sender or "")
        action = action_in(text)
        if message.to is not None:
            is_mine, is_to_me = (fold(name) == fold(me) for name in (sender, message.to))
            head = "you" if is_mine else sender, " → ", "you" if is_to_me else _Name(message.to)
            return (*head, ": ", text) if action is None else (*head, ": ** ", sender, " ", action)
        place = f"[{message.room}] " if message.room and with_room else ""
        if action is None:
            return place, sender, ": ", text
        return place, "** ", sender, " ", action

    def _show(
        self,
        unix_time: float | None,
        *parts: str,
        is_earlier: bool = False,
        with_date: bool = False,
        is_for_you: bool = False,
        ring: str = "",
    ) -> None:
        """Show a line; received text is made harmless here, and only here.

        Args:
            unix_time: The time of the line.
            parts: What stands before the text, and the text.
            is_earlier: Whether it is of an earlier message.
            with_date: Whether its time has the date, unless it is of today.
            is_for_you: Whether it is meant for the person.
            ring: The character that rings the bell, or nothing.
        """
        ink = PLAIN if is_earlier else self._ink
        mark = "| " if is_earlier else ""
        clean = [plain(part) for part in parts]
        shown = (
            ink.name(each) if isinstance(part, _Name) else each
            for part, each in zip(parts, clean, strict=True)
        )
        when = ""
        if self._with_time:
            if with_date:
                when = f"{date_and_time(unix_time, today=self._unix_time())} "
            else:
                self._show_day(unix_time)
                when = f"{time_of_day(unix_time)} "
        text = clean[-1]
        head = f"{when}{mark}{''.join(clean[:-1])}{text[: len(text) - len(text.lstrip())]}"
        for broken in self._broken(f"{when}{mark}{''.join(shown)}", head, len(when)):
            line = broken
            if is_for_you:
                line = line[: len(when)] + self._ink.for_you(line[len(when) :])
            self._write_line(ring + (self._ink.earlier(line) if is_earlier else line))
            ring = ""

    def _broken(self, line: str, head: str, least: int) -> list[str]:
        """Return the lines of a line that is broken between words, under what follows its head."""
        columns = self._columns()
        if columns is None:
            return [line]
        indent = width_of(head)
        return wrapped(line, columns, indent if indent <= columns // 2 else least)

    def _show_day(self, unix_time: float | None) -> None:
        line = self._days.line_before(unix_time)
        if line is not None:
            self._write_line(self._ink.earlier(line))

    def _write_line(self, line: str) -> None:
        self._movements.flush()  # they came before
        self.lines += 1
        self._write(line)
