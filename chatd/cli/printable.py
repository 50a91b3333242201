"""Received text for output: no character in it can control a terminal, and none is invisible.

Unicode's format characters (category Cf) are invisible, such as those that change the direction of
text. Only the two joiners stay: they are parts of emoji, and of words in some scripts.
"""

from __future__ import annotations

import struct
import unicodedata

__all__ = ["escaped", "plain"]

_JOINERS = "\u200c\u200d"
_ESCAPED = frozenset({"Cc", "Cf", "Zl", "Zp"})
"""Unicode's categories of controls, format characters, and separators of lines."""


def plain(text: str) -> str:
    """Return text for people: what they cannot see is replaced by U+FFFD."""
    return "".join(
        char if char.isprintable() or char in _JOINERS or char == "\t" else "\ufffd"
        for char in text
    )


def escaped(line: str) -> str:
    """Return JSON with escapes for the control and format characters that its strings may have."""
    if line.isprintable():
        return line
    return "".join(
        _escape(char) if char not in _JOINERS and unicodedata.category(char) in _ESCAPED else char
        for char in line
    )


def _escape(char: str) -> str:
    """Return the escape of a character in JSON: one for each unit of its UTF-16."""
    units = struct.iter_unpack(">H", char.encode("utf-16-be"))
    return "".join(f"\\u{unit:04x}" for (unit,) in units)
