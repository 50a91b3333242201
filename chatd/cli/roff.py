"""Manual pages in roff, with the macros of man(7)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Item", "Page", "Section", "bold", "italic", "page_text", "plain_text"]

_WIDTH = 72
"""Width of the text before it is escaped; roff fills the lines itself."""


@dataclass(frozen=True, slots=True)
class Item:
    """A term, and the text about it. The term is roff, the text is plain."""

    term: str
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a page: paragraphs in roff and items, under a title."""

    title: str
    blocks: Sequence[str | Item]


@dataclass(frozen=True, slots=True)
class Page:
    """A manual page.

    Attributes:
        name: The name of the page.
        number: The section of the manual.
        source: The name and the version of the program.
        sections: The sections.
    """

    name: str
    number: int
    source: str
    sections: Sequence[Section]


def plain_text(text: str) -> str:
    """Return text that roff shows as it is."""
    lines = textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    escaped = [line.replace("\\", "\\e").replace("-", "\\-") for line in lines]
    return "\n".join(map(_unlike_a_request, escaped))


def bold(text: str) -> str:
    """Return text in bold type."""
    return f"\\fB{plain_text(text)}\\fR"


def italic(text: str) -> str:
    """Return text in italic type, as for the names of values."""
    return f"\\fI{plain_text(text)}\\fR"


def page_text(page: Page) -> str:
    """Return a page as the text of its file."""
    heading = f'.TH "{page.name.upper()}" "{page.number}" "" "{page.source}"'
    lines = [heading.replace("-", "\\-"), ".nh", ".ad l"]
    for section in page.sections:
        lines += [f'.SH "{section.title}"', *_blocks(section.blocks)]
    return "\n".join(lines) + "\n"


def _blocks(blocks: Iterable[str | Item]) -> Iterable[str]:
    for place, block in enumerate(blocks):
        if isinstance(block, Item):
            yield from (".TP", block.term, plain_text(block.text))
        elif place:
            yield from (".PP", block)
        else:  # the title begins a paragraph
            yield block


def _unlike_a_request(line: str) -> str:
    """Return a line that roff does not take for one of its requests."""
    return f"\\&{line}" if line.startswith((".", "'")) else line
