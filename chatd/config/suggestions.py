"""What a person probably meant by a mistyped name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["did_you_mean", "listed", "similar"]

_CLOSE = 0.7
"""How alike two names must be, from 0 to 1; --pidfile is not meant as --password-file."""


def similar(name: str, known: Iterable[str]) -> list[str]:
    """Return the names that begin with a name; without any, the name most like it.

    Args:
        name: An unknown name; the case of its letters does not matter.
        known: All names, in small letters.
    """
    from difflib import get_close_matches  # noqa: PLC0415  (it slows the start, and is rarely used)

    name, names = name.lower(), sorted(known)
    longer = [each for each in names if name and each.startswith(name)]
    return longer or get_close_matches(name, names, 1, _CLOSE)


def did_you_mean(names: Sequence[str]) -> str:
    """Return the question that follows an unknown name; empty without similar names."""
    return f" (did you mean {listed(names)}?)" if names else ""


def listed(names: Sequence[str]) -> str:
    """Return one or several names in words: `a, b or c`."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
