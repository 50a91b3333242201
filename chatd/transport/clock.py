"""The time of a reactor, and a `LoopingCall` on a given clock, which installs no reactor."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

__all__ = ["go_by_monotonic_time", "looping_call"]


class _LoopingCall(LoopingCall):
    """A `LoopingCall` that is made without a clock.

    Twisted's constructor imports `twisted.internet.reactor` as the default clock, and that import
    installs a reactor: the program that uses the library could not choose its own any more.
    """

    def __init__(self, f: Callable[..., object], *a: object, **kw: object) -> None:
        self.f = f
        self.a = a
        self.kw = kw


def looping_call(
    clock: IReactorTime, function: Callable[..., Any], *, counts: bool = False
) -> LoopingCall:
    """Make a `LoopingCall` without touching the global reactor.

    Args:
        clock: The clock that the calls go by: the reactor, or a test's clock.
        function: What is called. Where it returns an awaitable of Twisted's, the next call waits
            for that.
        counts: Whether the function takes the number of calls that are due since the last one, as
            with `LoopingCall.withCount`.
    """
    loop = _LoopingCall.withCount(function) if counts else _LoopingCall(function)
    loop.clock = clock
    return loop


def go_by_monotonic_time(reactor: Any) -> None:  # noqa: ANN401
    """Let a reactor go by a clock that nobody sets.

    Twisted's goes by the wall clock. When that is set back, whatever was to be done in a moment is
    done as much later, and the reactor seems to stand still; when it is set forward, all timers
    end at once.

    Args:
        reactor: The reactor. One that goes by another clock, that runs or that has timers already
            is left as it is.
    """
    goes_by_wall_clock = getattr(reactor, "seconds", None) is time.time
    if goes_by_wall_clock and not reactor.running and not reactor.getDelayedCalls():
        reactor.seconds = time.monotonic
