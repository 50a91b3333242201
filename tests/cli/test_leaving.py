"""The effect of a signal on a command, in this process and with a reactor in memory."""

import io
import signal
import sys
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.leaving import Signalled, raise_at_signals, run_reactor
from chatd.cli.status import Status
from tests.cli.wiring import ENDPOINT, LOST, CommandReactor

NUMBERS = {
    signal.SIGHUP: Status.HUNG_UP,
    signal.SIGINT: Status.INTERRUPTED,
    signal.SIGTERM: Status.TERMINATED,
}


class SignalCase(SynchronousTestCase):
    def setUp(self):
        for number in NUMBERS:  # the tests may run with ignored signals
            self.addCleanup(signal.signal, number, signal.signal(number, signal.SIG_DFL))


class RaisingTests(SignalCase):
    def test_raised(self):
        """A signal is raised in the command, with its status; the old signal handlers return."""
        for number, status in NUMBERS.items():
            with self.assertRaises(Signalled) as raised, raise_at_signals():
                signal.raise_signal(number)
            self.assertIs(raised.exception.status, status)
            self.assertIs(signal.getsignal(number), signal.SIG_DFL)

    def test_ignored(self):
        """An ignored signal, as with `nohup`, stays ignored."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with raise_at_signals():
            signal.raise_signal(signal.SIGHUP)
        self.assertIs(signal.getsignal(signal.SIGHUP), signal.SIG_IGN)

    def test_failure_on_the_way(self):
        """A failure because of the signal does not hide it; other failures pass."""
        with self.assertRaises(Signalled) as raised, raise_at_signals():
            try:
                signal.raise_signal(signal.SIGHUP)
            finally:
                raise OSError("the terminal is gone")
        self.assertIs(raised.exception.status, Status.HUNG_UP)
        with self.assertRaises(OSError), raise_at_signals():
            raise OSError("no")


class RunningTests(SignalCase):
    def run_until_done(self, work, *numbers):
        """Run work, and send signals singly; return the status and the errors."""
        complaints = io.StringIO()
        self.patch(sys, "stderr", complaints)
        self.reactor = CommandReactor(None)
        for delay_s, number in enumerate(numbers, start=1):
            later = self.reactor.callLater
            self.reactor.callWhenRunning(later, delay_s / 10, signal.raise_signal, number)
        return run_reactor(self.reactor, work, ENDPOINT), complaints.getvalue()

    def test_done(self):
        """The status is that of the work, or of its failure, which has one line."""

        async def work():
            return Status.REFUSED

        async def fail():
            raise LOST

        self.assertEqual(self.run_until_done(work), (Status.REFUSED, ""))
        self.assertEqual(
            self.run_until_done(fail), (Status.LOST, "chatd: the connection was lost\n")
        )

    def test_signalled(self):
        """A signal ends the work, which may say goodbye; the status names the signal."""
        for number, status in NUMBERS.items():
            ends: list[Any] = []
            work = self.waiting(ends, 0.5)
            self.assertEqual(self.run_until_done(work, number), (status, ""))
            self.assertEqual(ends, ["cancelled", "said goodbye"])
            self.assertLess(self.reactor.seconds(), 1)
            self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_for_too_long(self):
        """A goodbye without an answer does not wait long."""
        ends: list[Any] = []
        told = self.run_until_done(self.waiting(ends, 30), signal.SIGTERM)
        self.assertEqual((told, ends), ((Status.TERMINATED, ""), ["cancelled", "gave up"]))
        self.assertLess(self.reactor.seconds(), 2)

    def test_signalled_again(self):
        """A second signal ends the goodbye; the status is that of the first signal."""
        ends: list[Any] = []
        told = self.run_until_done(self.waiting(ends, 30), signal.SIGHUP, signal.SIGTERM)
        self.assertEqual((told, ends), ((Status.HUNG_UP, ""), ["cancelled", "gave up"]))
        self.assertLess(self.reactor.seconds(), 1)

    def test_too_late(self):
        """A signal after the end of the work has no effect."""

        async def work():
            self.reactor.callLater(0, signal.raise_signal, signal.SIGTERM)
            return Status.DONE

        self.assertEqual(self.run_until_done(work), (Status.DONE, ""))

    def test_fails_to_leave(self):
        """The client does not report a failure during the end: the command was to end."""

        async def work():
            try:
                await Deferred()
            except CancelledError:
                raise LOST from None

        self.assertEqual(self.run_until_done(work, signal.SIGINT), (Status.INTERRUPTED, ""))

    def waiting(self, ends, goodbye_s):
        """Return work that waits for ever, and then takes some time to say goodbye."""

        async def work():
            try:
                await Deferred()
            except CancelledError:
                ends.append("cancelled")
                goodbye: Deferred[Any] = Deferred()
                call = self.reactor.callLater(goodbye_s, goodbye.callback, None)
                try:
                    await goodbye
                except CancelledError:
                    call.cancel()
                    ends.append("gave up")
                    raise
                ends.append("said goodbye")
                raise

        return work
