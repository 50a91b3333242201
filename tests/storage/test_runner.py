"""The start of the thread in which a store works; `tests/integration` has its work."""

from __future__ import annotations

import threading

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import ConfigurationError
from chatd.storage.runner import StoreThread
from tests.fakes.reactors import ThreadedReactor


class NoThreadTests(SynchronousTestCase):
    """The system has no thread for the store, or no memory for its stack."""

    def setUp(self) -> None:
        self.reactor = ThreadedReactor()
        self.thread = StoreThread(self.reactor)
        self.start = self.patch(threading.Thread, "start", lambda thread: self.refuse())

    def refuse(self) -> None:
        """Fail as Python does."""
        raise RuntimeError("can't start new thread")

    async def ask(self) -> int:
        """Return the number of the thread."""
        return await self.thread(threading.get_ident)

    def test_no_thread(self) -> None:
        """The error says so in one line, and the store can be stopped and started later."""
        with self.assertRaises(ConfigurationError) as caught:
            self.thread.start()
        self.assertEqual(
            str(caught.exception), "the store cannot be opened: can't start new thread"
        )
        self.thread.stop()
        self.start.restore()
        self.thread.start()
        result = Deferred.fromCoroutine(self.ask())
        self.reactor.wait_for(result)
        self.thread.stop()
        self.assertNotIn(
            self.successResultOf(result), [each.ident for each in threading.enumerate()]
        )
