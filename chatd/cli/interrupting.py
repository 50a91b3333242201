"""`Interrupting`: decides whether Ctrl+C at an empty line leaves."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["HESITATION_S", "Interrupting"]

HESITATION_S = 2.0
"""Time after a cancelling Ctrl+C in which another one does not leave at once, in seconds."""


class Interrupting:
    """Decides whether Ctrl+C at an empty line leaves.

    A person who cancels something may press Ctrl+C once too often. So the first Ctrl+C shortly
    after a cancelling one only tells how to leave.

    Args:
        seconds: Returns the time, in seconds.
        warn: Tells the person how to leave.
    """

    def __init__(self, seconds: Callable[[], float], warn: Callable[[], None]) -> None:
        self._seconds = seconds
        self._warn = warn
        self._cancelled_at: float | None = None

    def cancelled(self) -> None:
        """Note that Ctrl+C has cancelled something, such as a half-typed line."""
        self._cancelled_at = self._seconds()

    def forget(self) -> None:
        """Note that the person has typed a line since then."""
        self._cancelled_at = None

    def may_leave(self) -> bool:
        """Return whether Ctrl+C at an empty line leaves now; if not, warn."""
        at, self._cancelled_at = self._cancelled_at, None
        if at is None or self._seconds() - at >= HESITATION_S:
            return True
        self._warn()
        return False
