"""`DumbLines`: shows lines at a terminal that cannot redraw the line that a person types."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from chatd.cli.widths import width_of

__all__ = ["DumbLines", "TypedLine"]


class TypedLine(NamedTuple):
    """What stands on the last line of the terminal.

    Attributes:
        prompt: The text before the typed line.
        text: The typed line, which may have several lines.
    """

    prompt: str
    text: str


class DumbLines:
    """Shows lines at a terminal that cannot redraw the line that a person types.

    Each line gets a line of its own, and then the typed line is written again. Lines that come at
    once are written together, so that the typed line is repeated once.

    Args:
        write: Writes to the terminal.
        typed: Returns the last line of the terminal; None while nobody types there.
        call_soon: Calls a function soon.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        typed: Callable[[], TypedLine | None],
        call_soon: Callable[[Callable[[], None]], object],
    ) -> None:
        self._write = write
        self._typed = typed
        self._call_soon = call_soon
        self._waiting: list[str] = []

    def show(self, line: str) -> None:
        """Show a line soon."""
        if not self._waiting:
            self._call_soon(self.flush)
        self._waiting.append(line)

    def flush(self) -> None:
        """Show the lines that wait."""
        lines, self._waiting = self._waiting, []
        if not lines:
            return
        typed = self._typed()
        before = after = ""
        if typed is not None:
            after = (typed.prompt + typed.text).replace("\n", "\r\n")
            before = "\r\n" if typed.text else "\r"
            if not typed.text:  # the first line covers the prompt
                lines[0] += " " * (width_of(typed.prompt) - width_of(lines[0]))
        self._write(before + "".join(f"{line}\r\n" for line in lines) + after)
