"""Monotonic time for a reactor, and a `LoopingCall` that installs no reactor."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

__all__ = ["go_by_monotonic_time", "looping_call"]


class _LoopingCall(LoopingCall):
    """A `LoopingCall` that is constructed without a clock.

    Twisted's constructor imports `twisted.internet.reactor` as the default clock. That import
    installs a reactor, and the program that uses the library could no longer choose its own.
    """

    def __init__(self, f: Callable[..., object], *a: object, **kw: object) -> None:
        self.f = f
        self.a = a
        self.kw = kw


def looping_call(
    clock: IReactorTime, function: Callable[..., Any], *, counts: bool = False
) -> LoopingCall:
    """Return a `LoopingCall`, without importing the global reactor.

    Args:
        clock: The clock for the calls: the reactor, or a test's clock.
        function: The function to call. If it returns a Deferred, the next call waits for it.
        counts: Whether the function takes the number of calls that are due since the last call, as
            with `LoopingCall.withCount`.
    """
    loop = _LoopingCall.withCount(function) if counts else _LoopingCall(function)
    loop.clock = clock
    return loop


def go_by_monotonic_time(reactor: Any) -> None:  # noqa: ANN401
    """Make a reactor use the monotonic clock.

    By default, Twisted uses the wall clock. If that is set back, all timers are late by as much,
    and the reactor seems to hang. If it is set forward, timers fire early.

    Args:
        reactor: The reactor. It stays unchanged if it uses another clock, is running, or has
            timers already.
    """
    goes_by_wall_clock = getattr(reactor, "seconds", None) is time.time
    if goes_by_wall_clock and not reactor.running and not reactor.getDelayedCalls():
        reactor.seconds = time.monotonic
