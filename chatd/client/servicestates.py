"""The states of a `ChatClientService`, and the table of its transitions.

===========  ==========================  =======================================================
state        holds                       following states
===========  ==========================  =======================================================
NotStarted   the reminder                Connecting: the service is started;
                                         Stopped: the service is stopped
Stopped                                  Connecting: the service is started
Connecting   the attempt                 Connected: the session is established;
                                         Waiting: the attempt failed;
                                         GivenUp: every other attempt would fail too;
                                         Stopped: the service is stopped
Connected    the client, and since when  Waiting: the session was lost;
                                         GivenUp: the server does not want the client back;
                                         Stopped: the service is stopped
Waiting      the timer                   Connecting: the time has come;
                                         Stopped: the service is stopped
GivenUp      the reason                  Connecting: the service is started again
===========  ==========================  =======================================================

A service that has given up stays in that state when it is stopped, and still tells the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from chatd.client.client import ChatClient
from chatd.errors import ConfigurationError, LocalProtocolError, SessionEnded
from chatd.transport.timer import Timer

__all__ = [
    "REMIND_S",
    "TRANSITIONS",
    "Connected",
    "Connecting",
    "GivenUp",
    "NotStarted",
    "ServiceState",
    "Stopped",
    "Waiting",
    "check_follows",
]

REMIND_S = 5.0
"""Seconds for which a caller waits until the log says that the service was never started."""


class ServiceState:
    """A state of a service. Two states are the same only if they are the same object."""

    __slots__ = ()

    def leave(self) -> None:
        """Cancel the attempt or timer of this state, if it is pending."""


@dataclass(slots=True, eq=False)
class NotStarted(ServiceState):
    """The service was never started; messages wait for the first session.

    Attributes:
        reminder: Tells the program that it may have forgotten the start.
        has_reminded: Whether the reminder was started.
    """

    reminder: Timer
    has_reminded: bool = False

    def remind_later(self, remind: Callable[[], object]) -> None:
        """Call a function once if the service is not started in `REMIND_S` seconds."""
        if not self.has_reminded:
            self.has_reminded = True
            self.reminder.start(REMIND_S, remind)

    def leave(self) -> None:
        """Stop the reminder, unless it was given."""
        self.reminder.stop()


@dataclass(frozen=True, slots=True, eq=False)
class Stopped(ServiceState):
    """The service is stopped; messages sent now are too late."""


@dataclass(frozen=True, slots=True, eq=False)
class Connecting(ServiceState):
    """The service tries to connect.

    Attributes:
        attempt: Fires when the session is established, and fails if the attempt fails.
    """

    attempt: Deferred[Any]

    def leave(self) -> None:
        """Cancel the attempt, unless it is over."""
        self.attempt.cancel()


@dataclass(frozen=True, slots=True, eq=False)
class Connected(ServiceState):
    """The service has a session.

    Attributes:
        client: The client of that session.
        since: The time when it was established, in the reactor's seconds.
    """

    client: ChatClient
    since: float


@dataclass(frozen=True, slots=True, eq=False)
class Waiting(ServiceState):
    """The service waits before the next attempt.

    Attributes:
        timer: Starts the next attempt.
    """

    timer: IDelayedCall

    def leave(self) -> None:
        """Stop the timer, unless it has fired."""
        if self.timer.active():
            self.timer.cancel()


@dataclass(frozen=True, slots=True, eq=False)
class GivenUp(ServiceState):
    """The service does not reconnect.

    Attributes:
        reason: The reason.
    """

    reason: SessionEnded | ConfigurationError

    def again(self) -> SessionEnded | ConfigurationError:
        """Return the reason as a new exception, without the traceback of an earlier one."""
        if isinstance(self.reason, SessionEnded):
            return self.reason.again()
        return ConfigurationError(str(self.reason))


TRANSITIONS: dict[type[ServiceState], frozenset[type[ServiceState]]] = {
    NotStarted: frozenset({Connecting, Stopped}),
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
