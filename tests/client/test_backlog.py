"""Tests of senders that wait until fewer messages are unconfirmed."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.backlog import READY_BELOW, Backlog
from chatd.errors import SessionEnded
from chatd.wire.messages import Message
from tests.client.cases import ClientCase
from tests.fakes.networks import LastingTests

END = SessionEnded("kicked", "no more of that")


class BacklogTests(SynchronousTestCase):
    """The senders that wait, apart from a client."""

    def setUp(self) -> None:
        self.unconfirmed = list(range(READY_BELOW))
        self.backlog = Backlog(self.unconfirmed)

    def test_few_messages(self) -> None:
        """Below the limit, no sender waits."""
        self.unconfirmed.pop()
        self.assertIsNone(self.successResultOf(self.backlog.wait()))

    def test_in_order(self) -> None:
        """Each receipt lets one waiting sender go on, in the order of the calls."""
        sent: list[str] = []

        def send(_: None, name: str) -> None:
            sent.append(name)
            self.unconfirmed.append(0)

        for name in ("one", "two", "three"):
            self.backlog.wait().addCallback(send, name)
        for expected in ([], ["one"], ["one", "two"]):
            self.backlog.check()
            self.assertEqual(sent, expected)
            self.unconfirmed.pop()

    def test_cancelled(self) -> None:
        """The queue skips a cancelled sender."""
        first, second = self.backlog.wait(), self.backlog.wait()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.unconfirmed.pop()
        self.backlog.check()
        self.successResultOf(second)

    def test_end(self) -> None:
        """The end fails waiting and later senders, also if one cancels another."""
        first, second = self.backlog.wait(), self.backlog.wait()

        def cancel_second(failure: Failure) -> Failure:
            second.cancel()
            return failure

        first.addErrback(cancel_second)
        self.backlog.fail(END)
        self.failureResultOf(first, SessionEnded)
        self.failureResultOf(second, CancelledError)
        self.assertEqual(self.failureResultOf(self.backlog.wait()).value.code, "kicked")


class ClientBacklogTests(ClientCase):
    """A client without a service."""

    def test_receipts(self) -> None:
        """A sender waits for the receipts of many messages; cancelled messages count too."""
        sending = [self.alice.send("x") for _ in range(READY_BELOW)]
        ready = self.alice.when_ready_to_send()
        self.assertNoResult(ready)
        self.pump()
        self.successResultOf(ready)
        self.successResultOf(sending[-1])
        sending = [self.alice.send("x") for _ in range(READY_BELOW)]
        ready = self.alice.when_ready_to_send()
        sending[0].cancel()
        self.failureResultOf(sending[0], CancelledError)
        self.assertNoResult(ready)
        self.pump()
        self.successResultOf(ready)

    def test_end(self) -> None:
        """The session's end fails waiting senders."""
        for _ in range(READY_BELOW):
            self.alice.send("x").addErrback(lambda _: None)
        ready = self.alice.when_ready_to_send()
        self.lose(self.alice)
        self.assertEqual(self.failureResultOf(ready, SessionEnded).value.code, "connection-lost")

    def test_many_messages(self) -> None:
        """A program that waits before each message never has too many unconfirmed."""

        async def send_all() -> int:
            most = 0
            for number in range(READY_BELOW + 10):
                await self.alice.when_ready_to_send()
                unconfirmed.append(self.alice.send(str(number)))
                unconfirmed[:] = [each for each in unconfirmed if not each.called]
                most = max(most, len(unconfirmed))
            return most

        unconfirmed: list[Deferred[Message]] = []

        sent = Deferred.fromCoroutine(send_all())
        self.pump()
        self.assertEqual(self.successResultOf(sent), READY_BELOW)


class ServiceBacklogTests(LastingTests):
    """A client with a service: messages wait for the next session too."""

    def test_without_a_session(self) -> None:
        """A sender waits until there is a session; a cancelled message makes no place."""
        sending = [self.service.send("x") for _ in range(READY_BELOW)]
        first, second = self.service.when_ready_to_send(), self.service.when_ready_to_send()
        for each in sending[:2]:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        for ready in (first, second):
            self.assertNoResult(ready)
        client = self.start()
        self.network.pump()
        for ready in (first, second):
            self.successResultOf(ready)
        self.successResultOf(client.when_ready_to_send())

    def test_stopped(self) -> None:
        """Stopping the service fails waiting senders; after a new start, none fails."""
        self.start()
        self.lose()
        for _ in range(READY_BELOW):
            self.service.send("x").addErrback(lambda _: None)
        ready = self.service.when_ready_to_send()
        self.successResultOf(self.service.stopService())
        self.assertEqual(self.failureResultOf(ready, SessionEnded).value.code, "goodbye")
        self.service.startService()
        self.successResultOf(self.service.when_ready_to_send())
