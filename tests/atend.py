"""Calls functions when the tests of this process are over, whichever program runs them."""

from __future__ import annotations

import atexit
from collections.abc import Callable

__all__ = ["at_end", "end"]

_ends: list[Callable[[], object]] = []


def at_end(call: Callable[[], object]) -> None:
    """Call a function when the tests are over."""
    _ends.append(call)


@atexit.register
def end() -> None:
    """Make the calls, the last one first; pytest's workers must do so, since they skip `atexit`."""
    while _ends:
        _ends.pop()()
