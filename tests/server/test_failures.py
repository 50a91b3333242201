"""The log of failures in the background."""

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import StoreError
from chatd.server.failures import QUIET_S, FailureLog


class StoreFailureTests(SynchronousTestCase):
    """Failures of the store, which may come with each message."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.failures = FailureLog(self.clock)

    def logged(self, *texts: str) -> list[str]:
        """Let the store fail, and return the lines of the log."""
        with capturedLogs() as events:
            for text in texts:
                self.failures.store_failed(StoreError(text))
        return [formatEvent(event) for event in events]

    def test_again_and_again(self) -> None:
        """The same failure is logged once a minute, with the number of the others."""
        self.assertEqual(self.logged(*["full"] * 5), ["the store failed: full"])
        self.clock.advance(QUIET_S - 1)
        self.assertEqual(self.logged("full"), [])
        self.clock.advance(1)
        again = "the store failed: full (and 5 more since the last such line)"
        self.assertEqual(self.logged("full", "full"), [again])

    def test_another(self) -> None:
        """Another failure is logged at once, and counts none of the earlier ones."""
        self.assertEqual(
            self.logged("full", "full", "locked", "locked"),
            ["the store failed: full", "the store failed: locked"],
        )
        self.clock.advance(QUIET_S)
        self.assertEqual(
            self.logged("locked"),
            ["the store failed: locked (and 1 more since the last such line)"],
        )
