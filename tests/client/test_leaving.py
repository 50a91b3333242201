"""Tests of leaving: what was sent gets its receipt, or one line of the log says that it did not."""

from __future__ import annotations

import gc

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from chatd.client.client import RECEIPTS_S
from chatd.errors import SessionEnded
from chatd.server.factory import ChatFactory
from chatd.server.session import Session
from chatd.wire.messages import Message
from tests.client.cases import ClientCase
from tests.fakes.networks import LastingTests

STOPPED = "goodbye: the service is stopped: stopService() was called"


class SilentFactory(ChatFactory):
    """A service that answers no message."""

    def message_received(self, session: Session, message: Message) -> None:
        """Forget the message."""


class DisconnectTests(ClientCase):
    """A client that leaves waits for its receipts."""

    def test_receipts_first(self) -> None:
        """Messages that were sent get their receipts, and then the session ends."""
        sending = [self.alice.send(str(number)) for number in range(100)]
        leaving = self.alice.disconnect()
        self.assertNoResult(leaving)
        self.pump()
        self.assertEqual([self.successResultOf(each).seq for each in sending], [*range(1, 101)])
        self.assertEqual(self.successResultOf(leaving).code, "goodbye")
        self.assertEqual(self.alice._clock.getDelayedCalls(), self.bob._clock.getDelayedCalls())

    def test_async_with(self) -> None:
        """The end of an `async with` waits too."""
        sending: list[Deferred[Message]] = []

        async def send() -> None:
            async with self.alice:
                sending.append(self.alice.send("hello"))

        left = Deferred.fromCoroutine(send())
        self.pump()
        self.successResultOf(left)
        self.assertEqual(self.successResultOf(sending[0]).text, "hello")

    def test_at_once(self) -> None:
        """Without such messages, the session ends at once; a command is not waited for."""
        asked = self.alice.command("rooms")
        self.alice.disconnect()
        self.alice.flush()
        self.failureResultOf(asked, SessionEnded)

    def test_twice(self) -> None:
        """Leaving again while the client waits changes nothing."""
        sending = self.alice.send("hello")
        leaving = [self.alice.disconnect() for _ in range(2)]
        self.pump()
        self.successResultOf(sending)
        for each in leaving:
            self.assertEqual(self.successResultOf(each).code, "goodbye")

    def test_lost_meanwhile(self) -> None:
        """If the connection is lost meanwhile, the messages fail with that reason."""
        sending = self.alice.send("hello")
        leaving = self.alice.disconnect()
        self.lose(self.alice)
        self.assertEqual(self.failureResultOf(sending).value.code, "connection-lost")
        self.assertEqual(self.successResultOf(leaving).code, "connection-lost")


class NoReceiptTests(ClientCase):
    """A server that does not answer in time."""

    factory_class = SilentFactory

    def leave(self) -> list[str]:
        """Leave, let the time of receipts pass, and return the lines of the log."""
        with capturedLogs() as events:
            self.alice.disconnect()
            self.server.advance(RECEIPTS_S - 1, step_s=1)
            self.assertTrue(self.alice.is_active)
            self.server.advance(1, step_s=1)
            self.assertFalse(self.alice.is_active)
            gc.collect()
        own = [event for event in events if event["log_namespace"].startswith("chatd.client")]
        return [formatEvent(event) for event in own]

    def test_fails(self) -> None:
        """After five seconds the client leaves, and the messages fail."""
        sending = self.alice.send("hello")
        self.assertEqual(self.leave(), ["the client is leaving: 1 message has no receipt"])
        self.assertEqual(
            str(self.failureResultOf(sending, SessionEnded).value),
            "goodbye: the client is leaving; the server may have stored the message",
        )

    def test_nobody_waits(self) -> None:
        """For messages that nobody waits for, there is one line, and no unhandled errors."""
        for _ in range(3):
            self.alice.send("hello")
        self.assertEqual(len(self.leave()), 1)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_callback_fails(self) -> None:
        """A mistake in an errback of the program is still an unhandled error."""
        self.alice.send("hello").addErrback(lambda _: 1 / 0)
        self.leave()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_afterwards(self) -> None:
        """Sending after the end fails; if nobody waits, it is no unhandled error."""
        self.alice.disconnect()
        self.pump()
        self.failureResultOf(self.alice.send("hello"), SessionEnded)
        self.alice.send("hello")
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])


class StopServiceTests(LastingTests):
    """A service that is stopped."""

    def test_receipts_first(self) -> None:
        """Messages that were sent get their receipts, and then the service is stopped."""
        self.start()
        sending = [self.service.send("hello") for _ in range(3)]
        stopping = self.service.stopService()
        self.assertNoResult(stopping)
        self.network.advance(0)
        self.assertEqual([self.successResultOf(each).seq for each in sending], [1, 2, 3])
        self.successResultOf(stopping)

    def test_no_receipt(self) -> None:
        """The loss of a message that was sent has one line, and the sender learns what it means."""
        self.start()
        sending = self.service.send("hello")
        with capturedLogs() as events:
            stopping = self.service.stopService()
            self.reactor.advance(RECEIPTS_S)
            self.network.pump()
            self.successResultOf(stopping)
        self.assertEqual(
            str(self.failureResultOf(sending, SessionEnded).value),
            f"{STOPPED}; the server may have stored the message",
        )
        own = [event for event in events if event["log_namespace"].startswith("chatd.client")]
        self.assertEqual(
            [formatEvent(event) for event in own],
            ["the service stopped: 1 message has no receipt"],
        )

    def test_client_leaves(self) -> None:
        """If the program ends the session itself, the loss has one line too."""
        client = self.start()
        sending = self.service.send("hello")
        with capturedLogs() as events:
            client.disconnect()
            self.reactor.advance(RECEIPTS_S)
            self.network.pump()
        reason = self.failureResultOf(sending, SessionEnded).value
        self.assertIn("may have stored", reason.reason)
        lines = [formatEvent(event) for event in events]
        self.assertEqual(
            [line for line in lines if "receipt" in line],
            ["the service gave up: 1 message has no receipt"],
        )

    def test_without_a_session(self) -> None:
        """Messages that wait for a session fail, with one line of the log."""
        self.service.startService()
        waiting = self.service.send("hello")
        for _ in range(2):
            self.service.send("hello")
        with capturedLogs() as events:
            self.successResultOf(self.service.stopService())
            self.service.send("too late")
            gc.collect()
        reason = self.failureResultOf(waiting, SessionEnded).value
        self.assertEqual(str(reason), STOPPED)  # it was never sent
        self.assertEqual(
            [formatEvent(event) for event in events],
            ["the service stopped: 3 messages have no receipt"],
        )
