"""`Timer`: one delayed call that can be stopped."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Timer"]


class Timer:
    """Calls a function once, after a delay.

    Args:
        clock: The reactor, or a test's clock.
    """

    __slots__ = ("_call", "_clock")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._call: IDelayedCall | None = None

    @property
    def is_running(self) -> bool:
        """Whether a call is scheduled."""
        return self._call is not None

    def start(self, delay_s: float, function: Callable[[], object]) -> None:
        """Call a function after `delay_s` seconds, instead of any call scheduled before."""
        self.stop()
        self._call = self._clock.callLater(delay_s, self._fire, function)

    def stop(self) -> None:
        """Cancel the call; do nothing if no call is scheduled."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _fire(self, function: Callable[[], object]) -> None:
        self._call = None
        function()
