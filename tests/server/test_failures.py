"""The log of failures in the background."""

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import StoreError
from chatd.server.factory import ChatFactory
from chatd.server.failures import MAX_TEXTS, QUIET_S, FailureLog


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

    def test_no_news(self) -> None:
        """The numbers are warnings, since the failures themselves were errors."""
        self.logged("full", "full", *(f"fault {number}" for number in range(MAX_TEXTS)))
        with capturedLogs() as events:
            self.clock.advance(QUIET_S)
        self.assertEqual([event["log_level"] for event in events], [LogLevel.warn] * 2)

    def summary(self) -> list[str]:
        """Let the quiet time pass, and return the lines of the log."""
        with capturedLogs() as events:
            self.clock.advance(QUIET_S)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return [formatEvent(event) for event in events]

    def test_again_and_again(self) -> None:
        """The same failure is logged once a minute; then the log has the number of the others."""
        self.assertEqual(self.logged(*["full"] * 500), ["the store failed: full"])
        self.clock.advance(QUIET_S - 1)
        self.assertEqual(self.logged("full"), [])
        with capturedLogs() as events:
            self.clock.advance(1)
        again = "past failures of the store: full (500 more, the last 1 s ago)"
        self.assertEqual([formatEvent(event) for event in events], [again])
        self.assertEqual(self.logged("full"), ["the store failed: full"])

    def test_once(self) -> None:
        """A failure that did not come again has no second line."""
        self.logged("full")
        self.assertEqual(self.summary(), [])

    def test_in_turn(self) -> None:
        """Different failures that come in turn are logged once each, and counted each."""
        self.assertEqual(
            self.logged(*["full", "locked"] * 3),
            ["the store failed: full", "the store failed: locked"],
        )
        self.assertEqual(
            self.summary(),
            [
                "past failures of the store: full (2 more, the last 60 s ago)",
                "past failures of the store: locked (2 more, the last 60 s ago)",
            ],
        )

    def test_many(self) -> None:
        """Only so many different failures have their own lines; the others are counted."""
        texts = [f"fault {number}" for number in range(MAX_TEXTS + 3)]
        self.assertEqual(len(self.logged(*texts)), MAX_TEXTS)
        self.assertEqual(
            self.summary(), ["past failures of the store: 3 of other kinds, the last 60 s ago"]
        )

    def told(self, *states: bool) -> list[str]:
        """Let the store begin to fail, or work again, and return the lines of the log."""
        with capturedLogs() as events:
            for works in states:
                if not works:
                    self.failures.store_failed(StoreError("full"))
                self.failures.store_works(works)
        return [formatEvent(event) for event in events]

    def test_works_again(self) -> None:
        """When the store works again, the log says so once, after all that was counted."""
        self.logged("full", "full")
        self.failures.store_works(False)
        with capturedLogs() as events:
            self.failures.store_works(True)
        past = "past failures of the store: full (1 more, the last 0 s ago)"
        self.assertEqual([formatEvent(event) for event in events], [past, "the store works again"])
        self.assertEqual(events[-1]["log_level"], LogLevel.info)
        self.assertEqual(self.summary(), [])
        self.logged("damaged")  # such as a read, which says nothing of transactions
        self.assertEqual(self.summary(), [])
        self.assertEqual(self.told(False), ["the store failed: full"])

    def test_now_and_then(self) -> None:
        """A store that fails now and then has few lines a minute; the last is true."""
        failed, works = "the store failed: full", "the store works again"
        self.assertEqual(self.told(*[False, True] * 50), [failed, works, failed])
        past = "past failures of the store: full (48 more, the last 60 s ago)"
        self.assertEqual(self.summary(), [past, works])
        self.assertEqual(self.told(False, True, False), [failed])
        past = "past failures of the store: full (1 more, the last 60 s ago)"
        self.assertEqual(self.summary(), [past])
        self.assertEqual(self.told(True), [works])

    def test_unlogged_failure(self) -> None:
        """The end of a failure that was logged elsewhere has its line within a minute, too."""
        self.told(False, True)
        self.summary()
        self.failures.store_works(True)
        self.failures.store_works(False)
        self.assertEqual(self.told(True), [])
        self.assertEqual(self.summary(), ["the store works again"])

    def test_end(self) -> None:
        """A server that shuts down logs the number at once, and leaves no call behind."""
        factory = ChatFactory(self.clock)
        self.failures = factory.engine.failures
        self.logged("full", "full")
        with capturedLogs() as events:
            self.successResultOf(factory.shut_down())
        self.assertIn(
            "past failures of the store: full (1 more, the last 0 s ago)", map(formatEvent, events)
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])
