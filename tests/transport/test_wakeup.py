"""Tests of waking a coroutine."""

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from chatd.transport.wakeup import Wakeup


class WakeupTests(SynchronousTestCase):
    def setUp(self):
        self.wakeup = Wakeup()

    def test_fire(self):
        """Each wait ends at the next call, and not at an earlier one."""
        self.wakeup.fire()
        for _ in range(2):
            waiting = self.wakeup.wait()
            self.assertNoResult(waiting)
            self.wakeup.fire()
            self.assertIsNone(self.successResultOf(waiting))

    def test_again(self):
        """A woken coroutine may wait again at once."""
        woken = []

        def wake(_):
            woken.append(self.wakeup.wait())

        self.wakeup.wait().addCallback(wake)
        self.wakeup.fire()
        self.assertNoResult(woken[0])
        self.wakeup.fire()
        self.successResultOf(woken[0])

    def test_cancelled(self):
        """Firing after a cancelled wait does nothing."""
        waiting = self.wakeup.wait()
        waiting.cancel()
        self.wakeup.fire()
        self.failureResultOf(waiting, CancelledError)
