"""`GroupCommit` alone: what it owes to others when the store or the hub behaves badly."""

from asyncio import CancelledError
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.chat.commits import GroupCommit, Pending
from chatd.errors import StoreError
from chatd.storage.values import Stored
from tests.chat.recorder import Person
from tests.storage.stores import entries


class GroupCommitTests(SynchronousTestCase):
    def setUp(self):
        self.ann = Person("1", "ann")
        self.waiting: list[Deferred[None]] = []
        self.failures: list[Exception] = []
        self.crashes: list[BaseException] = []
        self.reports: list[list[tuple[str, bool]]] = []
        self.called: list[str] = []
        self.states: list[bool] = []
        self.commits: GroupCommit[Any] = GroupCommit(
            self.append, self.stored, self.failures.append, self.begin, self.states.append
        )

    def at_report(self):
        """Do nothing more; tests replace it."""

    async def append(self, entries):
        waiting: Deferred[None] = Deferred()
        self.waiting.append(waiting)
        await waiting
        return [Stored(each, True) for each in entries]

    def stored(self, batch, outcomes):
        ids = [each.header.id for pending in batch for each in pending.entries]
        is_stored = [isinstance(each, Stored) for each in outcomes]
        self.reports.append(list(zip(ids, is_stored, strict=True)))
        self.at_report()

    def begin(self, coroutine):
        def crashed(failure):
            self.crashes.append(failure.value)

        Deferred.fromCoroutine(coroutine).addErrback(crashed)

    def say(self, *ids):
        for id in ids:
            self.commits.add(Pending(entries(id), self.ann))

    def note(self, text):
        self.commits.call_when_stored(lambda: self.called.append(text))

    def test_failing_report(self):
        """If a report fails, the next messages are stored, and nobody waits for ever."""
        error = ValueError("no")

        def fail():
            self.at_report = lambda: None
            raise error

        self.at_report = fail
        self.say("1")
        self.note("first")
        self.say("2")
        self.note("second")
        self.waiting.pop().callback(None)
        self.assertEqual((self.called, self.failures, self.crashes), (["first"], [error], []))
        self.waiting.pop().callback(None)
        self.assertEqual(self.called, ["first", "second"])
        self.assertEqual(self.reports, [[("1", True)], [("2", True)]])
        self.assertTrue(self.commits.is_idle)

    def test_failing_report_of_refusals(self):
        """So it is if the report of the messages behind a refused one fails."""
        error = ValueError("no")
        self.say("1")
        self.commits.begin()
        self.say("2")
        self.note("all")

        def fail():
            if len(self.reports) == 2:
                raise error

        self.at_report = fail
        self.waiting.pop().errback(StoreError("full"))
        self.assertEqual(self.reports, [[("1", False)], [("2", False)]])
        self.assertEqual((self.called, self.failures[1:]), (["all"], [error]))

    def test_cancelled(self):
        """If a store's work is cancelled, those who wait for later messages are called back."""
        self.say("1")
        self.commits.begin()
        self.waiting.pop().errback(CancelledError())
        self.assertEqual([type(each) for each in self.crashes], [CancelledError])
        self.say("2")
        self.note("second")
        self.waiting.pop().callback(None)
        self.assertEqual((self.called, self.commits.ready), (["second"], 0))

    def test_said_again(self):
        """What an author says again when it hears of a refusal is stored."""

        def say_again():
            if self.reports == [[("1", False)]]:
                self.say("1")

        self.at_report = say_again
        self.say("1")
        self.commits.begin()
        self.waiting.pop().errback(StoreError("full"))
        self.waiting.pop().callback(None)
        self.assertEqual(self.reports, [[("1", False)], [("1", True)]])

    def test_another_author(self):
        """What others say behind a refused message is stored, and no report is empty."""
        bob = Person("2", "bob")
        self.say("1")
        self.commits.begin()
        self.say("2")
        self.commits.add(Pending(entries("3"), bob))
        self.waiting.pop().errback(StoreError("full"))
        self.commits.add(Pending(entries("4"), bob))
        for _ in range(2):
            self.waiting.pop().callback(None)
        refused = [[("1", False)], [("2", False)]]
        self.assertEqual(self.reports, [*refused, [("3", True)], [("4", True)]])

    def test_works_again(self):
        """It is told once when transactions begin to fail, and once when one succeeds again."""
        told = []
        full, bug = StoreError("full"), ValueError("a bug")
        for error in (None, full, bug, None, None, full):
            self.say("1")
            self.commits.begin()
            if error is None:
                self.waiting.pop().callback(None)
            else:
                self.waiting.pop().errback(error)
            told.append(list(self.states))
            self.states.clear()
        self.assertEqual(told, [[], [False], [], [True], [], [False]])
