"""`MemoryService`: gives memory back to the system when many have gone.

The C library keeps what is freed between what is still in use; after thousands of connections that
came and went that can be more than all else together.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime

from chatd.transport.clock import looping_call

__all__ = ["EXODUS", "LOOK_S", "MemoryService", "give_back_memory"]

LOOK_S = 2.0
"""How long it is from one look to the next, in seconds."""
EXODUS = 200
"""So many connections must have gone since the last time to make it worthwhile."""


def give_back_memory(*, is_quiet: bool) -> None:
    """Give back what is free, where the C library can (malloc_trim(3)); in some milliseconds.

    Args:
        is_quiet: Whether there is time to look for what only refers to itself, too.
    """
    if is_quiet:
        gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class MemoryService(Service):
    """Looks now and then whether many connections have gone.

    Args:
        clock: What tells the time.
        departures: Returns how many have gone since the beginning.
        give_back: Gives back what is free.
    """

    def __init__(
        self,
        clock: IReactorTime,
        departures: Callable[[], int],
        give_back: Callable[..., None] = give_back_memory,
    ) -> None:
        self._departures = departures
        self._give_back = give_back
        self._seen = self._last = 0
        self._is_owed = False
        self._loop = looping_call(clock, self._look)

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        self._loop.start(LOOK_S, now=False)

    def stopService(self) -> None:
        """Look no more."""
        super().stopService()
        if self._loop.running:  # else starting failed before its turn came
            self._loop.stop()

    def _look(self) -> None:
        gone = self._departures()
        is_quiet, self._last = gone == self._last, gone
        is_exodus = gone - self._seen >= EXODUS
        if is_exodus or (self._is_owed and is_quiet):
            self._is_owed = is_exodus  # and once more when the last of them has gone
            self._seen = gone
            self._give_back(is_quiet=is_quiet)
