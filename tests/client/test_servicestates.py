"""Tests of the states of a service that keeps a client connected."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.factory import ChatClientFactory
from chatd.client.servicestates import (
    TRANSITIONS,
    Connected,
    Connecting,
    GivenUp,
    NotStarted,
    ServiceState,
    Stopped,
    Waiting,
    check_follows,
)
from chatd.errors import ConfigurationError, LocalProtocolError, SessionRefused
from chatd.transport.timer import Timer

ALLOWED = {
    ("NotStarted", "Connecting"),
    ("NotStarted", "Stopped"),
    ("Stopped", "Connecting"),
    ("Stopped", "Stopped"),
    ("Connecting", "Connected"),
    ("Connecting", "Waiting"),
    ("Connecting", "GivenUp"),
    ("Connecting", "Stopped"),
    ("Connected", "Waiting"),
    ("Connected", "GivenUp"),
    ("Connected", "Stopped"),
    ("Waiting", "Connecting"),
    ("Waiting", "Stopped"),
    ("GivenUp", "Connecting"),
}


class TableTests(SynchronousTestCase):
    """The table of transitions."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.states: list[ServiceState] = [
            NotStarted(Timer(self.clock)),
            Stopped(),
            Connecting(Deferred()),
            Connected(ChatClientFactory(self.clock).buildProtocol(None), 0.0),
            Waiting(self.clock.callLater(1, lambda: None)),
            GivenUp(ConfigurationError("no")),
        ]

    def test_all(self) -> None:
        """Every state is in it, and every pair is either allowed or refused."""
        self.assertEqual(set(TRANSITIONS), set(map(type, self.states)))
        for state in self.states:
            for following in self.states:
                names = type(state).__name__, type(following).__name__
                if names in ALLOWED:
                    check_follows(state, following)
                else:
                    with self.assertRaises(LocalProtocolError) as caught:
                        check_follows(state, following)
                    told = f"a service that is {names[0]} cannot become {names[1]}"
                    self.assertEqual(str(caught.exception), told)

    def test_identity(self) -> None:
        """Two states are the same only if they are the same object."""
        attempt: Deferred[None] = Deferred()
        self.assertNotEqual(Connecting(attempt), Connecting(attempt))
        self.assertNotEqual(Stopped(), Stopped())


class LeaveTests(SynchronousTestCase):
    """Leaving a state cancels its attempt or timer."""

    def test_attempt(self) -> None:
        """The client cancels an attempt, unless it is over."""
        attempt: Deferred[None] = Deferred()
        Connecting(attempt).leave()
        self.failureResultOf(attempt, CancelledError)
        attempt = Deferred()
        attempt.callback(None)
        Connecting(attempt).leave()
        self.successResultOf(attempt)

    def test_timer(self) -> None:
        """A timer is stopped, unless it has fired."""
        clock, rings = Clock(), list[str]()
        Waiting(clock.callLater(1, rings.append, "one")).leave()
        over = Waiting(clock.callLater(1, rings.append, "two"))
        clock.advance(1)
        over.leave()
        self.assertEqual((rings, clock.getDelayedCalls()), (["two"], []))

    def test_others(self) -> None:
        """The other states have nothing to cancel: a connected client stays connected."""
        client = ChatClientFactory(Clock()).buildProtocol(None)
        given_up = GivenUp(ConfigurationError("no"))
        for state in (NotStarted(Timer(Clock())), Stopped(), Connected(client, 0.0), given_up):
            state.leave()
        self.assertFalse(client.connection.is_over)


class GivenUpTests(SynchronousTestCase):
    """A service that has given up returns the reason, any number of times."""

    def test_session(self) -> None:
        """The end of a session is returned with all fields, as a new exception."""
        reason = SessionRefused("banned", "you are banned")
        again = GivenUp(reason).again()
        self.assertIsInstance(again, SessionRefused)
        self.assertIsNot(again, reason)
        self.assertEqual(str(again), str(reason))

    def test_configuration(self) -> None:
        """So is the error of an endpoint that can never succeed."""
        reason = ConfigurationError("not here")
        again = GivenUp(reason).again()
        self.assertIsInstance(again, ConfigurationError)
        self.assertIsNot(again, reason)
        self.assertEqual(str(again), "not here")
