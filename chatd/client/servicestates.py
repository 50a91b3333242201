"""The states of a `ChatClientService`, and the one table of which may follow which.

===========  ==========================  =======================================================
state        what it holds               what follows
===========  ==========================  =======================================================
Stopped      nothing                     Connecting: the service is started
Connecting   the attempt                 Connected: the session is established;
                                         Waiting: the attempt failed;
                                         GivenUp: so will every other attempt;
                                         Stopped: the service is stopped
Connected    the client, and since when  Waiting: the session was lost;
                                         GivenUp: the server does not want the client back;
                                         Stopped: the service is stopped
Waiting      the timer                   Connecting: the time has come;
                                         Stopped: the service is stopped
GivenUp      the reason                  Connecting: the service is started again
===========  ==========================  =======================================================

A service that has given up and is stopped still tells why: it stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from chatd.client.client import ChatClient
from chatd.errors import ConfigurationError, LocalProtocolError, SessionEnded

__all__ = [
    "TRANSITIONS",
    "Connected",
    "Connecting",
    "GivenUp",
    "ServiceState",
    "Stopped",
    "Waiting",
    "check_follows",
]


class ServiceState:
    """What a service is doing. Two states are the same only if they are one object."""

    __slots__ = ()

    def leave(self) -> None:
        """Cancel what the state waits for, if it has not come."""


@dataclass(frozen=True, slots=True, eq=False)
class Stopped(ServiceState):
    """It does nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Connecting(ServiceState):
    """It tries to connect.

    Attributes:
        attempt: Fires when the session is established, and fails if the attempt does.
    """

    attempt: Deferred[Any]

    def leave(self) -> None:
        """Cancel the attempt; one that has come to its end is left alone."""
        self.attempt.cancel()


@dataclass(frozen=True, slots=True, eq=False)
class Connected(ServiceState):
    """It has a session.

    Attributes:
        client: The client of that session.
        since: When it was established, in the reactor's seconds.
    """

    client: ChatClient
    since: float


@dataclass(frozen=True, slots=True, eq=False)
class Waiting(ServiceState):
    """It waits before it tries again.

    Attributes:
        timer: Ends the waiting.
    """

    timer: IDelayedCall

    def leave(self) -> None:
        """Stop the timer, unless it has ended the waiting."""
        if self.timer.active():
            self.timer.cancel()


@dataclass(frozen=True, slots=True, eq=False)
class GivenUp(ServiceState):
    """It tries no more.

    Attributes:
        reason: Why.
    """

    reason: SessionEnded | ConfigurationError

    def again(self) -> SessionEnded | ConfigurationError:
        """Return the reason as a new exception, without the traceback of an earlier one."""
        if isinstance(self.reason, SessionEnded):
            return self.reason.again()
        return ConfigurationError(str(self.reason))


TRANSITIONS: dict[type[ServiceState], frozenset[type[ServiceState]]] = {
    Stopped: frozenset({Connecting, Stopped}),
    Connecting: frozenset({Connected, Waiting, GivenUp, Stopped}),
    Connected: frozenset({Waiting, GivenUp, Stopped}),
    Waiting: frozenset({Connecting, Stopped}),
    GivenUp: frozenset({Connecting}),
}


def check_follows(state: ServiceState, following: ServiceState) -> None:
    """Check that a state may follow another.

    Raises:
        LocalProtocolError: The table has no such transition.
    """
    if type(following) not in TRANSITIONS[type(state)]:
        names = type(state).__name__, type(following).__name__
        raise LocalProtocolError("a service that is {} cannot become {}".format(*names))
