"""File descriptors of the daemon's process: raising their limit, and checking it at the start."""

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
"""Number of descriptors that a daemon opens after the check: for its store and its ports."""
SELECT = 1024
"""Number of descriptors that select(2) can wait for, from 0 on: FD_SETSIZE."""
USUAL = 1_000
"""The least room for connections with which the default bounds give no warning."""
FEWEST = 4
"""The least room for connections with which a daemon starts."""


def allow_all_descriptors(reactor: Any) -> None:  # noqa: ANN401
    """Raise this process's limit of open files as far as the system and the reactor allow.

    A `select` reactor closes a connection whose descriptor is too large for select(2). With the
    process's limit set to that, the daemon stops accepting before, as at any other limit.

    Args:
        reactor: The reactor.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard
    if isinstance(reactor, SelectReactor):
        most = SELECT if hard == resource.RLIM_INFINITY else min(hard, SELECT)
    if soft != most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


class DescriptorService(Service):
    """Checks at the start that there are enough file descriptors.

    It warns if there are fewer than the operator's bounds need. If the default bounds need more, it
    logs that, with a warning only if there are very few.

    Args:
        reactor: The reactor.
        limits: The bounds of sessions and connections.
        has_front: Whether browsers connect, too.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        limits: Limits,
        *,
        has_front: bool = False,
    ) -> None:
        self._is_select = isinstance(reactor, SelectReactor)
        self._limits = limits
        # Beside the connections that wait for a session, as many refused ones may still be open,
        # and as many of browsers.
        self._unestablished = (3 if has_front else 2) * limits.max_unestablished
        self._has_looked = False

    def privilegedStartService(self) -> None:
        """Check before the store and the ports are open.

        Raises:
            StartupError: There are too few file descriptors to serve clients.
        """
        super().privilegedStartService()
        self._look()

    def startService(self) -> None:
        """Check, unless `privilegedStartService` did.

        Raises:
            StartupError: There are too few file descriptors to serve clients.
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
                f"chatd: too few file descriptors: there are {most}, and the daemon needs "
                f"{int(most - room) + FEWEST} to serve clients (ulimit -n)"
            )
        limits, usual = self._limits, Limits()
        if room >= limits.max_sessions + self._unestablished:
            return
        if self._is_select:
            self._warn(
                "the select reactor uses at most {select} file descriptors",
                "start twistd with another reactor (twistd --help-reactors)",
                room,
            )
        elif room < USUAL or (limits.max_sessions, limits.max_unestablished) != (
            usual.max_sessions,
            usual.max_unestablished,
        ):
            self._warn("there are {most} file descriptors (ulimit -n)", "raise their number", room)
        else:
            self.log.info(
                "file descriptors for {room} connections; the bounds allow {sessions} sessions, "
                "and {unestablished} connections that have none yet: there are {most} (ulimit -n)",
                room=int(room),
                sessions=limits.max_sessions,
                unestablished=self._unestablished,
                most=most,
            )

    def _warn(self, cause: str, remedy: str, room: float) -> None:
        """Warn that there is less room than the bounds allow, and name the remedy."""
        self.log.warn(
            f"{cause}, enough for {{room}} connections at most, and the bounds allow {{sessions}} "
            f"sessions, and {{unestablished}} connections that have none yet: {remedy}, or give "
            "lower --max-sessions and --max-unestablished",
            select=SELECT,
            most=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            room=int(room),
            sessions=self._limits.max_sessions,
            unestablished=self._unestablished,
        )
