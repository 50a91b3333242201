"""Colours at a terminal: a name has always the same one."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from chatd.chat.names import fold

__all__ = ["PALETTE", "PLAIN", "Ink", "ink_for"]

PALETTE = (27, 28, 30, 98, 130, 161, 163)
"""Of xterm's 256 colours, some that have a contrast of 4:1 with black as well as with white."""
_BASIC = (1, 2, 5, 6)
"""Of the eight colours that any terminal has, those that are readable on dark and on light."""


class Ink:
    """Writes in colours, or plainly.

    What it is given must not hold any control characters.

    Args:
        name_codes: The SGR parameters of the colours of names (ECMA-48, section 8.3.117); none to
            write all plainly.
    """

    def __init__(self, *name_codes: str) -> None:
        self._name_codes = name_codes

    def name(self, name: str) -> str:
        """Write a name in its colour, which depends on nothing but the name."""
        if not self._name_codes:
            return name
        number = zlib.crc32(fold(name).encode("utf-8", "replace")) * len(self._name_codes) >> 32
        return f"\x1b[{self._name_codes[number]}m{name}\x1b[39m"

    def earlier(self, line: str) -> str:
        """Write a line of what was said earlier, dimmed."""
        return f"\x1b[2m{line}\x1b[0m" if self._name_codes else line


PLAIN = Ink()
"""Writes all plainly."""


def ink_for(environment: Mapping[str, str], *, is_terminal: bool) -> Ink:
    """Return what to write with.

    There are no colours where it is no terminal, where the terminal is a dumb one, and where the
    person wants none (https://no-color.org).

    Args:
        environment: The environment variables; of interest are `NO_COLOR`, `TERM` and `COLORTERM`.
        is_terminal: Whether a terminal shows what is written.
    """
    terminal = environment.get("TERM", "dumb")
    if not is_terminal or terminal in ("", "dumb") or environment.get("NO_COLOR"):
        return PLAIN
    if "256color" in terminal or environment.get("COLORTERM"):
        return Ink(*(f"38;5;{colour}" for colour in PALETTE))
    return Ink(*(f"3{colour}" for colour in _BASIC))
