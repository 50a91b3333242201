"""`Script`: a Lua script that Redis runs in one step."""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha1
from importlib.resources import files

import msgspec

__all__ = ["Script", "load", "loaded"]

_SHEBANG = re.compile(r"\A#!lua[^\n]*\n")
_loaded: list[Script] = []
_PARTS = re.compile(r"^--# (\w+)\n", re.MULTILINE)


class Script(msgspec.Struct, frozen=True):
    """A script.

    Attributes:
        name: The name of its file.
        text: Its text.
        sha: The name by which Redis runs it.
    """

    name: str
    text: str
    sha: str


@cache
def load(name: str) -> Script:
    """Return a script from the directory `scripts`.

    A line `--# PART` in it stands for the text of the file `PART.part.lua`.

    Redis heeds the memory limit for a script only if it begins with `#!lua`.
    """
    text = _read(f"{name}.lua")
    if not _SHEBANG.match(text):
        raise ValueError(f"{name}.lua does not begin with #!lua")
    text = _PARTS.sub(lambda found: _read(f"{found[1]}.part.lua"), text)
    script = Script(name, text, sha1(text.encode(), usedforsecurity=False).hexdigest())
    _loaded.append(script)
    return script


def loaded() -> tuple[Script, ...]:
    """Return all scripts that were loaded."""
    return tuple(_loaded)


def _read(name: str) -> str:
    return (files(__package__) / "scripts" / name).read_text("utf-8")
