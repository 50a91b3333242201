"""The status line: the connection, the current place, and the places with unread messages."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from chatd.cli.display import plain
from chatd.cli.places import Unread

__all__ = ["Standing", "protection_of", "status_line", "width_of"]

_BETWEEN = " | "
_LEAST = 8
"""Width of the least part of a topic that is worth showing, in columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the status line tells.

    Attributes:
        endpoint: The endpoint string.
        protection: How the connection is protected, such as `encrypted`.
        is_connected: Whether there is a session.
        place: The number and the title of the current place, or None.
        members: The number of people there, or None.
        topic: The topic there, or empty.
        unread: The places with unread messages.
    """

    endpoint: str
    protection: str
    is_connected: bool
    place: tuple[int, str] | None = None
    members: int | None = None
    topic: str = ""
    unread: Sequence[Unread] = ()


def protection_of(endpoint: str, *, has_key: bool) -> str:
    """Return how a connection is protected.

    Args:
        endpoint: The endpoint string.
        has_key: Whether the client has a key file, which turns on encryption.
    """
    if has_key or endpoint.startswith("tls:"):
        return "encrypted"
    return "encrypted, server unknown" if endpoint.startswith("ssl:") else "not encrypted"


def status_line(standing: Standing, width: int) -> str:
    """Return the status line for a terminal.

    If there is too little space, the most important parts stay: a lost connection, the current
    place, unread messages, and the connection. The topic gets the space that is left.

    Args:
        standing: What to tell.
        width: The width of the terminal, in columns.
    """
    left = max(0, width - 2)  # a space at each end
    parts: dict[str, str] = {}
    choices = [
        ("connection", _connection(standing) if not standing.is_connected else []),
        ("place", [_place(standing)]),
        ("unread", _unread(standing.unread)),
        ("connection", _connection(standing) if standing.is_connected else []),
        ("topic", [plain(standing.topic)]),
    ]
    for name, variants in choices:
        between = len(_BETWEEN) if parts else 0
        text = _fitting(variants, left - between, may_cut=name == "topic" or not parts)
        if text:
            parts[name] = text
            left -= width_of(text) + between
    order = ("place", "topic", "unread", "connection")
    return " " + _BETWEEN.join(parts[name] for name in order if name in parts)


def _place(standing: Standing) -> str:
    if standing.place is None:
        return "(no room)"
    number, title = standing.place
    members = "" if standing.members is None else f" ({standing.members})"
    return f"{number}:{plain(title)}{members}"


def _unread(unread: Sequence[Unread]) -> list[str]:
    """Return the unread messages, and the same with fewer places."""
    each = [
        f"{number}:{plain(place.title)} {count}{'!' if is_for_you else ''}"
        for number, place, count, is_for_you in unread
    ]
    short = [f"{number}{'!' if is_for_you else ''}" for number, _, _, is_for_you in unread]
    return [f"new {', '.join(each)}", f"new {','.join(short)}"] if each else []


def _connection(standing: Standing) -> list[str]:
    if not standing.is_connected:
        return [f"not connected to {plain(standing.endpoint)}", "not connected"]
    return [f"{plain(standing.endpoint)}, {standing.protection}", standing.protection]


def _fitting(variants: Sequence[str], width: int, *, may_cut: bool) -> str:
    """Return the first variant that fits, or the beginning of the last if it may be cut."""
    for variant in variants:
        if width_of(variant) <= width:
            return variant
    if not variants or not may_cut or width < _LEAST:
        return ""
    text = variants[-1]
    while width_of(text) >= width:
        text = text[:-1]
    return f"{text}…"


def width_of(text: str) -> int:
    """Return the width of a text, in columns."""
    return sum(map(_width, text))


def _width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
