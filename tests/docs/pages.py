"""The pages of the documents and their parts: headings, links, tables, programs, commands."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^( *)```([^`\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_ANY_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(([^)\s]+)\)|(?:srcset|src)=\"([^\"]+)\"")


def page(name: str) -> str:
    """Return the text of a page."""
    return (ROOT / name).read_text(encoding="utf-8")


def page_names() -> list[str]:
    """Return the paths of all pages that people read."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(str(each.relative_to(ROOT)) for each in pages)


def section(text: str, title: str) -> str:
    """Return the text under a heading of the second level."""
    return text.split(f"\n## {title}\n")[1].split("\n## ", maxsplit=1)[0]


def first_cells(text: str) -> list[str]:
    """Return the first cell of each row of all tables in a text, without the titles."""
    tables = re.findall(r"^\|.*\|\n\|(?:-+\|)+\n((?:\|.*\|\n)+)", text, re.MULTILINE)
    return re.findall(r"^\| (.*?) \|", "".join(tables), re.MULTILINE)


def fences(text: str, language: str) -> list[str]:
    """Return the blocks of code in a language."""
    return [code for each, code in _FENCE.findall(text) if each == language]


def blocks(text: str) -> list[tuple[str, str]]:
    """Return the language and the code of each block, also of a block inside of a list."""
    return [(language, textwrap.dedent(code)) for _, language, code in _BLOCK.findall(text)]


def block(name: str, words: str) -> str:
    """Return the code of the only block of a page that contains some words."""
    (code,) = [code for _, code in blocks(page(name)) if words in code]
    return code


def inline_codes(text: str) -> list[str]:
    """Return the inline codes of a page, each on one line."""
    prose = _BLOCK.sub("", text)
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)]


def links(text: str) -> list[str]:
    """Return where the links and the pictures of a page lead."""
    prose = _ANY_FENCE.sub("", text)
    return [link or picture for link, picture in _LINK.findall(_CODE.sub("``", prose))]


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", _ANY_FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@dataclass
class Step:
    """What a reader does at a terminal, and what the terminal shows then.

    Attributes:
        command: The command that is given; empty where the client at the terminal goes on.
        typed: The line that is typed to that client, if one is.
        shown: The lines that are shown next.
    """

    command: str = ""
    typed: str = ""
    shown: list[str] = field(default_factory=list)


def steps(text: str) -> Iterator[Step]:
    """Yield the steps of a page's blocks, each command of a shell script without output."""
    for language, code in blocks(text):
        if language == "sh":
            yield Step(command=code)
        if language != "console":
            continue
        step = Step()
        for line in code.splitlines():
            prompt, is_given, given = line.partition(" ")
            if (is_given and (prompt == "$" or prompt.endswith(">"))) or line == "^C":
                if step != Step():
                    yield step
                step = Step(typed=given) if prompt.endswith(">") else Step(command=given or line)
            else:
                step.shown.append(line)
        yield step
