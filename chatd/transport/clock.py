"""`looping_call`: Twisted's `LoopingCall` on a given clock, which installs no reactor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

__all__ = ["looping_call"]


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
