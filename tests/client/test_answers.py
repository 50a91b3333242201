"""Tests of the answers that a client waits for on one connection."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.answers import PendingAnswers
from chatd.client.progress import Progress
from chatd.errors import LocalProtocolError, SessionEnded
from chatd.wire.bounds import MAX_ID
from chatd.wire.messages import Message

LOST = SessionEnded("connection-lost", "the connection was lost", retry=True)


class PendingAnswersTests(SynchronousTestCase):
    """Pending answers, without a connection."""

    def setUp(self) -> None:
        self.progress = Progress()
        self.answers = PendingAnswers(self.progress)

    def keep(self, id: str) -> Deferred[Message]:
        """Keep a message until its receipt comes, as a client that reconnects does."""
        return self.progress.keep(Message.chat("hello", id=id))


class AnswerTests(PendingAnswersTests):
    """The answers to messages and commands."""

    def test_taken(self) -> None:
        """The id of a frame finds its answer, only once."""
        one, two = self.answers.add("one"), self.answers.add("two")
        self.assertIs(self.answers.take("two"), two)
        self.assertIsNone(self.answers.take("two"))
        self.assertIs(self.answers.take("one"), one)

    def test_nothing_waits(self) -> None:
        """An answer without an id, or with an unknown id, has no receiver."""
        self.assertIsNone(self.answers.take(None))
        self.assertIsNone(self.answers.take("one"))

    def test_check(self) -> None:
        """The client refuses an id that waits, and an id over the limit; it accepts other ids."""
        self.answers.check("i" * MAX_ID)
        self.assertRaises(LocalProtocolError, self.answers.check, "i" * (MAX_ID + 1))
        self.answers.check("one")
        self.answers.add("one")
        self.assertRaises(LocalProtocolError, self.answers.check, "one")
        self.answers.take("one")
        self.answers.check("one")

    def test_contains(self) -> None:
        """Waiting ids are contained."""
        self.answers.add("one")
        self.assertIn("one", self.answers)
        self.assertNotIn("two", self.answers)

    def test_cancelled(self) -> None:
        """The client forgets a cancelled command, and its id can be used again."""
        answer = self.answers.add("one", is_command=True)
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.assertNotIn("one", self.answers)
        self.answers.check("one")

    def test_cancelled_message(self) -> None:
        """A cancelled message is unconfirmed until its receipt comes; it can be sent again."""
        answer = self.answers.add("one")
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.assertEqual(self.answers.unconfirmed, 1)
        self.answers.check("one")
        self.assertIsNone(self.answers.take("one"))
        self.assertEqual(self.answers.unconfirmed, 0)

    def test_forgotten(self) -> None:
        """Neither a forgotten answer nor a forgotten message can be taken."""
        self.answers.add("one", self.keep("one"))
        self.answers.forget("one")
        self.assertIsNone(self.answers.take("one"))
        self.assertEqual(self.progress.unconfirmed, {})


class KeptTests(PendingAnswersTests):
    """Answers that outlive a connection."""

    def test_taken(self) -> None:
        """A message is no longer kept after its answer is taken."""
        kept = self.keep("one")
        self.assertIs(self.answers.add("one", kept), kept)
        self.assertIs(self.answers.take("one"), kept)
        self.assertEqual(self.progress.unconfirmed, {})

    def test_of_an_earlier_connection(self) -> None:
        """The receipt of an earlier connection's message may come before a resend."""
        kept = self.keep("one")
        self.assertIs(self.answers.take("one"), kept)
        self.assertEqual(self.progress.unconfirmed, {})

    def test_cancelled(self) -> None:
        """The receipt of a cancelled message has no receiver, and its id is free."""
        kept = self.keep("one")
        self.answers.add("one", kept)
        kept.cancel()
        self.failureResultOf(kept, CancelledError)
        self.answers.check("one")
        self.assertIsNone(self.answers.take("one"))

    def test_not_failed(self) -> None:
        """The end of the connection fails only answers that cannot come in the next."""
        kept, command = self.keep("one"), self.answers.add("two")
        self.answers.add("one", kept)
        self.answers.fail(LOST)
        self.assertNoResult(kept)
        self.assertIs(self.failureResultOf(command, SessionEnded).value, LOST)


class PingTests(PendingAnswersTests):
    """Pings and their pongs."""

    def test_seconds(self) -> None:
        """The client answers each ping with the time since it was sent."""
        one, two = self.answers.add_ping(1, 10.0), self.answers.add_ping(2, 11.0)
        self.answers.take_pong(2, 11.5)
        self.assertNoResult(one)
        self.answers.take_pong(1, 12.0)
        self.assertEqual((self.successResultOf(one), self.successResultOf(two)), (2.0, 0.5))

    def test_unasked(self) -> None:
        """A pong without a ping, or a second pong, is ignored."""
        ping = self.answers.add_ping(1, 10.0)
        self.answers.take_pong(7, 11.0)
        self.assertNoResult(ping)
        self.answers.take_pong(1, 11.0)
        self.answers.take_pong(1, 12.0)
        self.assertEqual(self.successResultOf(ping), 1.0)

    def test_cancelled(self) -> None:
        """The pong of a cancelled ping is ignored, and so is the end."""
        pings = [self.answers.add_ping(n, 10.0) for n in (1, 2)]
        for ping in pings:
            ping.cancel()
            self.failureResultOf(ping, CancelledError)
        self.answers.take_pong(1, 11.0)
        self.answers.fail(LOST)


class FailTests(PendingAnswersTests):
    """The end of the connection."""

    def test_all(self) -> None:
        """All pending answers fail with the reason, and are forgotten."""
        waiting = [self.answers.add("one"), self.answers.add_ping(1, 10.0)]
        self.answers.fail(LOST)
        for answer in waiting:
            self.assertIs(self.failureResultOf(answer, SessionEnded).value, LOST)
        self.assertIsNone(self.answers.take("one"))
        self.answers.take_pong(1, 11.0)
        self.answers.fail(LOST)

    def test_cancelled_meanwhile(self) -> None:
        """A program may cancel the other answers when the first fails."""
        one, two = self.answers.add("one"), self.answers.add("two")
        one.addErrback(lambda _: two.cancel())
        self.answers.fail(LOST)
        self.successResultOf(one)
        self.failureResultOf(two, CancelledError)
