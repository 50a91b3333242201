"""`MemoryService`: gives memory back to the system after many connections have closed.

The C library keeps freed memory that lies between memory in use. After thousands of connections
have come and gone, that can be more than all other memory together.
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
"""Seconds between two looks at the number of closed connections."""
EXODUS = 200
"""Number of closed connections, since the last time, that makes it worthwhile."""


def give_back_memory(*, is_quiet: bool) -> None:
    """Give free memory back to the system, if the C library can (malloc_trim(3)).

    That takes some milliseconds.

    Args:
        is_quiet: Whether there is time to collect reference cycles, too.
    """
    if is_quiet:
        gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class MemoryService(Service):
    """Gives memory back if many connections have closed; looks every `LOOK_S` seconds.

    Args:
        clock: The reactor, or a test's clock.
        departures: Returns how many connections have closed since the start.
        give_back: Gives free memory back.
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
        """Start to look."""
        super().startService()
        self._loop.start(LOOK_S, now=False)

    def stopService(self) -> None:
        """Stop looking."""
        super().stopService()
        if self._loop.running:  # it is not if the start failed earlier
            self._loop.stop()

    def _look(self) -> None:
        gone = self._departures()
        is_quiet, self._last = gone == self._last, gone
        is_exodus = gone - self._seen >= EXODUS
        if is_exodus or (self._is_owed and is_quiet):
            self._is_owed = is_exodus  # once more after the last of them has closed
            self._seen = gone
            self._give_back(is_quiet=is_quiet)
