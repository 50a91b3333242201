"""Widths of text at a terminal, and lines that break between words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

__all__ = ["width_of", "wrapped"]

_TAB = 8
"""Most columns that a tab takes."""
# A colour, white space, a wide character with what joins it, or the rest of a word. Lines may break
# between two wide characters, as in Chinese and Japanese text.
_PIECES = re.compile(r"(?P<colour>\x1b\[[0-9;]*m)|(?P<space>\s+)|(?P<rest>[^\s\x1b]+)")
_JOINER = "\u200d"
_CLOSING = ("Pe", "Pf", "Po")
"""Categories of punctuation that begins no line."""


def width_of(text: str) -> int:
    """Return the width of a text without tabs and colours, in columns."""
    return len(text) if text.isascii() else sum(map(_width, text))


def wrapped(line: str, columns: int, indent: int) -> list[str]:
    """Return the lines of a long line that is broken between words.

    A word that is longer than a line stays whole, so that the terminal breaks it, and a copied
    address has no line end in it.

    Args:
        line: The line; it may have colours (ECMA-48, section 8.3.117), and no other controls.
        columns: The width of the terminal.
        indent: The number of spaces before all lines but the first.
    """
    lines: list[str] = []
    begun, spaces, width = "", "", 0
    for piece in _pieces(line):
        if piece.isspace():
            spaces += piece
            width += _most_width(piece)
            continue
        more = 0 if piece.startswith("\x1b") else width_of(piece)
        if width + more > columns >= indent + more:
            lines.append(begun)
            begun, spaces, width = " " * indent, "", indent
        begun, spaces, width = begun + spaces + piece, "", width + more
    return [*lines, begun + spaces]


def _pieces(line: str) -> Iterator[str]:
    """Return the parts between which a line may break, and its colours and white space."""
    for match in _PIECES.finditer(line):
        if match["rest"] is None:
            yield match[0]
        else:
            yield from _parts(match["rest"])


def _parts(word: str) -> Iterator[str]:
    """Return the parts of a word: each wide character is one, with the marks that follow it."""
    if word.isascii():
        yield word
        return
    part = ""
    for char in word:
        is_joined = (
            _width(char) == 0 or part.endswith(_JOINER) or unicodedata.category(char) in _CLOSING
        )
        if part and not is_joined and (_width(char) > 1 or _width(part[0]) > 1):
            yield part
            part = ""
        part += char
    yield part


def _most_width(text: str) -> int:
    return width_of(text) + text.count("\t") * (_TAB - 1)


def _width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
