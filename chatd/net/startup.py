"""What a process needs before it serves or connects, set where the program starts."""

from __future__ import annotations

import resource
import time
from typing import Any

from twisted.application.service import Service
from twisted.logger import Logger

from chatd.errors import StartupError
from chatd.net.door import room_for_more
from chatd.net.limits import Limits

__all__ = ["DescriptorService", "allow_all_descriptors", "go_by_monotonic_time"]

OWN = 8
"""How many descriptors a daemon itself opens after it listens: its store, what wakes it."""
FEWEST = 4
"""A daemon that has room for fewer connections is of no use to anybody."""


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


class DescriptorService(Service):
    """Sees at the start that there are file descriptors for those who are to be served.

    Args:
        limits: How many those may be.
    """

    log = Logger()

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._has_looked = False

    def privilegedStartService(self) -> None:
        """Look, when the ports are open, and the store is not.

        Raises:
            StartupError: There are too few to serve anybody.
        """
        super().privilegedStartService()
        self._look()

    def startService(self) -> None:
        """Look, if that was not done with privileges.

        Raises:
            StartupError: There are too few to serve anybody.
        """
        super().startService()
        if not self._has_looked:
            self._look()

    def _look(self) -> None:
        self._has_looked = True
        room = room_for_more() - OWN
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if room < FEWEST:
            raise StartupError(
                f"chatd: too few file descriptors: there are {most}, and it takes "
                f"{int(most - room) + FEWEST} to serve anybody (ulimit -n)"
            )
        limits = self._limits
        if room < limits.max_sessions + limits.max_unestablished:
            self.log.warn(
                "{most} file descriptors (ulimit -n) are enough for {room} connections at most, "
                "and there may be {sessions} sessions and {unestablished} without one: raise it, "
                "or give --max-sessions and --max-unestablished",
                most=most,
                room=int(room),
                sessions=limits.max_sessions,
                unestablished=limits.max_unestablished,
            )
