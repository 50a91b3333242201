"""Tests of `chatd.daemon.signals`."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from chatd.daemon.signals import SignalService

NUMBERS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)


class FakeReactor:
    """A reactor that installs its handlers when it runs, and runs calls in its turns."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], object]] = []
        self.starting: list[Callable[[], object]] = []
        self.stops: list[int] = []

    def callWhenRunning(self, function: Callable[[], object]) -> None:
        self.starting.append(function)

    def callFromThread(self, function: Callable[..., object], *arguments: object) -> None:
        self.calls.append(lambda: function(*arguments))

    def sigTerm(self, number: int, frame: object = None) -> None:
        self.stops.append(number)

    sigInt = sigTerm

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self.sigTerm)
        for function in self.starting:
            function()

    def turn(self) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call()


class SignalTests(SynchronousTestCase):
    """Signals are handled in the reactor's turn, not in the middle of other code."""

    def setUp(self) -> None:
        for number in NUMBERS:
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.reactor = FakeReactor()
        self.done: list[str] = []
        self.service = SignalService(
            self.reactor, lambda: self.done.append("hang up"), lambda: self.done.append("hurry")
        )
        self.service.startService()

    def test_hang_up(self) -> None:
        """Each SIGHUP is handled, in a turn."""
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGHUP)
            self.assertEqual(len(self.reactor.calls), 1)
            self.reactor.turn()
        self.assertEqual(self.done, ["hang up"] * 2)

    def test_stop(self) -> None:
        """SIGTERM stops the reactor in the usual way, but in a turn."""
        self.reactor.run()
        os.kill(os.getpid(), signal.SIGTERM)
        self.assertEqual(self.reactor.stops, [])
        self.reactor.turn()
        self.assertEqual(self.reactor.stops, [signal.SIGTERM])

    def test_again(self) -> None:
        """Each further signal to stop hurries the stop."""
        self.reactor.run()
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
        self.reactor.turn()
        self.assertEqual(self.reactor.stops, [signal.SIGTERM])
        self.assertEqual(self.done, ["hurry"] * 2)

    def test_stops_by_itself(self) -> None:
        """If the daemon stops by itself, the first signal does not stop it again."""
        self.reactor.run()
        self.service.note_stopping()
        os.kill(os.getpid(), signal.SIGTERM)
        self.reactor.turn()
        self.assertEqual((self.reactor.stops, self.done), ([], ["hurry"]))

    def test_handlers_of_others(self) -> None:
        """The service does not replace a handler that is not the reactor's own."""
        before = signal.getsignal(signal.SIGINT)
        self.reactor.run()
        self.assertIs(signal.getsignal(signal.SIGINT), before)

    def test_given_back(self) -> None:
        """After the stop, SIGHUP's handler is restored; another signal to stop still hurries."""
        self.reactor.run()
        self.service.stopService()
        self.service.stopService()
        self.assertEqual(signal.getsignal(signal.SIGHUP), signal.SIG_IGN)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        self.reactor.turn()
        self.assertEqual(self.done, ["hurry"])
