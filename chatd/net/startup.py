"""What a process needs before it serves or connects, set where the program starts."""

from __future__ import annotations

import resource
import time
from typing import Any

__all__ = ["allow_all_descriptors", "go_by_monotonic_time"]


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


def allow_all_descriptors() -> None:
    """Let this process open as many files as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
