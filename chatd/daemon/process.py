"""What a process needs before it serves or connects, set where the program starts."""

from __future__ import annotations

import resource
from typing import Any

from twisted.application.service import Service
from twisted.internet.selectreactor import SelectReactor
from twisted.logger import Logger

from chatd.errors import StartupError
from chatd.listening.accepting import room_for_more
from chatd.server.limits import Limits

__all__ = ["DescriptorService", "allow_all_descriptors"]

OWN = 8
"""How many descriptors a daemon itself opens after it listens: its store, what wakes it."""
SELECT = 1024
"""How many descriptors select(2) takes, the lowest ones: FD_SETSIZE."""
FEWEST = 4
"""A daemon that has room for fewer connections is of no use to anybody."""


def allow_all_descriptors(reactor: Any) -> None:  # noqa: ANN401
    """Let this process open as many files as the system lets it, and as the reactor can wait for.

    A `select` reactor closes a connection whose descriptor is beyond what select(2) takes. With the
    system's limit there, the daemon stops to accept before that, as at any other limit.

    Args:
        reactor: The reactor that is to wait for them.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard
    if isinstance(reactor, SelectReactor):
        most = SELECT if hard == resource.RLIM_INFINITY else min(hard, SELECT)
    if soft != most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


class DescriptorService(Service):
    """Sees at the start that there are file descriptors for those who are to be served.

    It warns where there are fewer than an operator asked for. Nobody asked for the bounds that hold
    by themselves: there it only tells how many connections there is room for.

    Args:
        reactor: The reactor that waits for them.
        limits: How many those may be.
    """

    log = Logger()

    def __init__(self, reactor: Any, limits: Limits) -> None:  # noqa: ANN401
        self._is_select = isinstance(reactor, SelectReactor)
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
        limits, usual = self._limits, Limits()
        if room >= limits.max_sessions + limits.max_unestablished:
            return
        if self._is_select:
            self._warn(
                "the select reactor takes {select} file descriptors",
                "start twistd with another (twistd --help-reactors)",
                room,
            )
        elif (limits.max_sessions, limits.max_unestablished) != (
            usual.max_sessions,
            usual.max_unestablished,
        ):
            self._warn("there are {most} file descriptors (ulimit -n)", "raise that", room)
        else:
            self.log.info(
                "room for {room} connections: there are {most} file descriptors (ulimit -n)",
                room=int(room),
                most=most,
            )

    def _warn(self, cause: str, remedy: str, room: float) -> None:
        """Say that there is room for fewer than there may be, and what to do."""
        self.log.warn(
            f"{cause}, enough for {{room}} connections at most, and there may be {{sessions}} "
            f"sessions and {{unestablished}} without one: {remedy}, or give --max-sessions and "
            "--max-unestablished",
            select=SELECT,
            most=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            room=int(room),
            sessions=self._limits.max_sessions,
            unestablished=self._limits.max_unestablished,
        )
