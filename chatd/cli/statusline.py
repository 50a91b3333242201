"""The status line: the connection, the current place, and the places with unread messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from chatd.cli.places import Unread
from chatd.cli.printable import plain
from chatd.cli.widths import width_of

__all__ = ["Standing", "protection_of", "status_line"]

_BETWEEN = " | "
_ORDER = ("name", "place", "away", "waiting", "topic", "unread", "connection")
_LEAST = 8
"""Width of the least part of a text that is worth showing, in columns."""
_MOST_CHARACTERS = 4
"""Characters for each column that a cut reads; some have no width."""
_TOPIC = 30
"""Width of a topic for which the endpoint is left out, in columns."""
_LEAST_TOPIC = 10
"""Width of the part of a topic for which unread messages are shortened, in columns."""
_MOST_NUMBERS = 20
"""Limit on the numbers in a list of unread places that does not have all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The contents of the status line.

    Attributes:
        endpoint: The endpoint string.
        protection: How the connection is protected, such as `encrypted`.
        is_connected: Whether there is a session.
        is_away: Whether the person is marked as away.
        name: The person's name, or empty.
        waiting: The number of messages that have waited for their receipts for a while.
        is_private: Whether the current place is a private room.
        place: The number and the title of the current place, or None.
        members: The number of people there, or None.
        topic: The topic there, or empty.
        unread: The places with unread messages.
    """

    endpoint: str
    protection: str
    is_connected: bool
    is_away: bool = False
    name: str = ""
    waiting: int = 0
    is_private: bool = False
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

    If there is too little space, parts become shorter before they are left out. These stay longest,
    in this order: a lost connection, the current place, the person's name, unread messages, and the
    number of messages without a receipt. Then come being away and the protection of the connection.
    The topic gets the space that is left, and comes before the endpoint. The list of unread
    messages becomes shorter before being away, the protection or 10 columns of the topic go. Only a
    place with a message for the person stays longer than the topic.

    Args:
        standing: The contents.
        width: The width of the terminal, in columns.
    """
    line = _Line(max(0, width - 2))  # a space at each end
    endpoint, topic = plain(standing.endpoint), plain(standing.topic)
    lost = [] if standing.is_connected else [f"not connected to {endpoint}", "not connected"]
    waiting = [f"{standing.waiting} waiting"] if standing.waiting else []
    first = {
        "connection": lost,
        "place": _place(standing),
        "name": [plain(standing.name)],
        "unread": [form for form, _ in _unread(standing.unread)],
        "waiting": waiting,
    }
    for name, variants in first.items():
        line.add(name, *variants[-1:])
    line.lengthen("connection", *lost)
    line.lengthen("place", *first["place"][:-1], may_cut=True)  # the last has a cut title already
    later = ["away"] if standing.is_away else []
    later += [standing.protection] if standing.is_connected else []
    of_topic = [min(width_of(topic), _LEAST_TOPIC)] if topic else []
    widths = [width_of(text) for text in later]
    urgent = _with_all_urgent(standing.unread)
    if not line.lengthen("unread", *urgent, leaving=[*widths, *of_topic]):
        line.lengthen("unread", *first["unread"], leaving=widths)
    if standing.is_away:
        line.add("away", "away")
    if standing.is_connected:
        with_endpoint = f"{endpoint}, {standing.protection}"
        topic_width = min(width_of(topic), _TOPIC)
        if line.has_space_for(with_endpoint, topic_width):
            line.add("connection", with_endpoint)
        else:
            line.add("connection", standing.protection)
    line.add("topic", topic, may_cut=True)
    return f" {line}"


class _Line:
    """The parts of a status line.

    Args:
        left: The remaining width, in columns.
    """

    def __init__(self, left: int) -> None:
        self._left = left
        self._parts: dict[str, str] = {}

    def __str__(self) -> str:
        return _BETWEEN.join(self._parts[name] for name in _ORDER if name in self._parts)

    @property
    def _between(self) -> int:
        return len(_BETWEEN) if self._parts else 0

    def has_space_for(self, text: str, more: int) -> bool:
        """Return whether a part fits, and after it a part of `more` columns, if there is one."""
        after = len(_BETWEEN) + more if more else 0
        return self._between + width_of(text) + after <= self._left

    def add(self, name: str, *variants: str, may_cut: bool = False) -> None:
        """Add the first variant of a part that fits; the first part may be cut."""
        left = self._left - self._between
        text = _fitting(variants, left, may_cut=may_cut or not self._parts)
        if text:
            self._left = left - width_of(text)
            self._parts[name] = text

    def lengthen(
        self, name: str, *variants: str, may_cut: bool = False, leaving: Sequence[int] = ()
    ) -> bool:
        """Replace a part that is there with the first variant that fits; return whether one does.

        Args:
            name: The part.
            variants: The variants.
            may_cut: Whether the last variant may be cut.
            leaving: The widths of parts that come later. There stays space for as many of them as
                there is space for now.
        """
        if name not in self._parts:
            return False
        later = accumulate((len(_BETWEEN) + width for width in leaving), initial=0)
        kept = max(width for width in later if width <= self._left)
        left = self._left + width_of(self._parts[name])
        text = _fitting(variants, left - kept, may_cut=may_cut)
        if text:
            self._left = left - width_of(text)
            self._parts[name] = text
        return bool(text)


def _place(standing: Standing) -> list[str]:
    """Return the current place: with all that is known, with the members, alone, and cut."""
    if standing.place is None:
        return ["(no room)"] * 2
    number, title = standing.place
    members = [] if standing.members is None else [str(standing.members)]
    about = [*members, "private"] if standing.is_private else members
    title = plain(title)
    alone, cut = f"{number}:{title}", f"{number}:{_fitting([title], _LEAST, may_cut=True)}"
    return [f"{alone} ({', '.join(each)})" for each in (about, members) if each] + [alone, cut]


def _unread(unread: Sequence[Unread]) -> list[tuple[str, int]]:
    """Return the unread messages, and shorter forms, each with the number of its places.

    The last form has the place to read next alone. The forms between have the numbers of the
    places: all, or some, first those with a message for the person.
    """
    if not unread:
        return []
    each = [
        f"{number}:{plain(place.title)} {count}{'!' if is_for_you else ''}"
        for number, place, count, is_for_you in unread
    ]
    short = [f"{number}{'!' if is_for_you else ''}" for number, _, _, is_for_you in unread]
    urgent = sorted(short, key=lambda text: not text.endswith("!"))
    most = min(len(short) - 1, _MOST_NUMBERS)
    some = [(f"new {','.join(urgent[:number])},…", number) for number in range(most, 1, -1)]
    full = [(f"new {', '.join(each)}", len(each)), (f"new {','.join(short)}", len(short))]
    return [*full, *some, (f"new {urgent[0]}", 1)]


def _with_all_urgent(unread: Sequence[Unread]) -> list[str]:
    """Return the forms of the unread messages that have all places with a message for the person.

    Without such a place, these are all forms.
    """
    urgent = sum(each.is_for_you for each in unread)
    return [form for form, number in _unread(unread) if number >= urgent]


def _fitting(variants: Sequence[str], width: int, *, may_cut: bool) -> str:
    """Return the first variant that fits, or the beginning of the last if it may be cut."""
    for variant in variants:
        if len(variant) <= _MOST_CHARACTERS * width and width_of(variant) <= width:
            return variant
    if not variants or not may_cut or width < _LEAST:
        return ""
    text = variants[-1][: _MOST_CHARACTERS * width]
    while text and width_of(text) >= width:
        text = text[:-1]
    return f"{text}…"
