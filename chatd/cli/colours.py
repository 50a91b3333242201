"""Colours at a terminal: a name always has the same colour."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from chatd.chat.names import fold

__all__ = ["PALETTE", "PLAIN", "Ink", "ink_for"]

PALETTE = (27, 28, 30, 98, 130, 161, 163)
"""Colours of xterm's 256 that have a contrast of 4:1 with both black and white."""
_BASIC = (1, 2, 5, 6)
"""Colours of the basic eight that are readable on dark and on light backgrounds."""


class Ink:
    """Writes text in colours, or without them.

    The text must not contain control characters.

    Args:
        name_codes: The SGR parameters of the colours of names (ECMA-48, section 8.3.117); none for
            no colours.
    """

    def __init__(self, *name_codes: str) -> None:
        self._name_codes = name_codes

    def name(self, name: str) -> str:
        """Return a name in its colour, which depends only on the name."""
        if not self._name_codes:
            return name
        number = zlib.crc32(fold(name).encode("utf-8", "replace")) * len(self._name_codes) >> 32
        return f"\x1b[{self._name_codes[number]}m{name}\x1b[39m"

    def earlier(self, line: str) -> str:
        """Return the line of an earlier message, dimmed."""
        return f"\x1b[2m{line}\x1b[0m" if self._name_codes else line

    def for_you(self, line: str) -> str:
        """Return the line of a message for the person, in bold."""
        return f"\x1b[1m{line}\x1b[22m" if self._name_codes else line


PLAIN = Ink()
"""Writes text without colours."""


def ink_for(environment: Mapping[str, str], *, is_terminal: bool) -> Ink:
    """Return the ink for an output.

    Output that does not go to a terminal has no colours, nor does a dumb terminal, nor any output
    if `NO_COLOR` is set (https://no-color.org).

    Args:
        environment: The environment variables; it reads `NO_COLOR`, `TERM` and `COLORTERM`.
        is_terminal: Whether the output goes to a terminal.
    """
    terminal = environment.get("TERM", "dumb")
    if not is_terminal or terminal in ("", "dumb") or environment.get("NO_COLOR"):
        return PLAIN
    if "256color" in terminal or environment.get("COLORTERM"):
        return Ink(*(f"38;5;{colour}" for colour in PALETTE))
    return Ink(*(f"3{colour}" for colour in _BASIC))
