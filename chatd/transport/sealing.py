"""`SealingQueue`: seals large frames in steps, so that nothing else waits for a whole frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from twisted.internet.interfaces import IReactorTime

from chatd.wire.large import LargeFrame

__all__ = ["SealingQueue"]

F = TypeVar("F")

STEP_BYTES = 1024 * 1024
"""Number of bytes that are hashed in each turn, if there are few; about a millisecond's work."""
TURNS = 8
"""In each turn, this part of all bytes is hashed, if that is more: work cannot pile up."""


class SealingQueue(Generic[F]):
    """Seals large frames, in the order in which they are added.

    Args:
        clock: The reactor, or a test's clock.
        sealed: Called with each waiter of a frame when the frame is sealed.
    """

    def __init__(self, clock: IReactorTime, sealed: Callable[[F], object]) -> None:
        self._clock = clock
        self._sealed = sealed
        self._waiting: dict[LargeFrame, dict[F, None]] = {}
        self._is_scheduled = False

    def seal(self, frames: Sequence[LargeFrame], waiter: F) -> None:
        """Seal frames in later turns, unless they are in the queue already.

        Args:
            frames: The frames, at least one.
            waiter: An object that waits for the first of the frames.
        """
        for frame in frames:
            self._waiting.setdefault(frame, {})
        self._waiting[frames[0]][waiter] = None
        self._schedule()

    def _schedule(self) -> None:
        if self._waiting and not self._is_scheduled:
            self._is_scheduled = True
            self._clock.callLater(0, self._step)

    def _step(self) -> None:
        self._is_scheduled = False
        left = max(STEP_BYTES, sum(frame.work for frame in self._waiting) // TURNS)
        while self._waiting and left > 0:
            frame = next(iter(self._waiting))
            left -= frame.seal_some(left)
            if not frame.work:  # it may have been sealed at once, for a session that ended
                for waiter in self._waiting.pop(frame):
                    self._sealed(waiter)
        self._schedule()
