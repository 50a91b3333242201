"""Tests of the inbox: received messages that the program has not taken yet."""

from __future__ import annotations

from typing import cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.inbox import MAX_UNREAD, Inbox
from chatd.client.overflow import Behind
from chatd.errors import SessionEnded
from chatd.wire.messages import ChatHeader, Message, MessageType

MIB = 1024 * 1024
GOODBYE = SessionEnded("goodbye", "bye")
LOST = SessionEnded("connection-lost", "the connection was lost", retry=True)


class InboxTests(SynchronousTestCase):
    """An inbox, and a program that takes from it."""

    def setUp(self) -> None:
        self.inbox = Inbox()

    def put(self, *texts: str) -> None:
        for text in texts:
            self.assertTrue(self.inbox.put(Message.chat(text)))

    def take(self) -> Deferred[str]:
        """Begin to take a message; the Deferred fires with its text."""
        return Deferred.fromCoroutine(self.inbox.take()).addCallback(lambda message: message.text)


class TakeTests(InboxTests):
    """The program takes messages in the order of their arrival."""

    def test_in_order(self) -> None:
        """The program takes waiting messages at once, the oldest first."""
        self.put("one", "two")
        self.assertEqual(self.successResultOf(self.take()), "one")
        self.assertEqual(self.successResultOf(self.take()), "two")

    def test_waits(self) -> None:
        """Without messages, the program waits for the next message."""
        taking = self.take()
        self.assertNoResult(taking)
        self.put("one")
        self.assertEqual(self.successResultOf(taking), "one")

    def test_two_that_wait(self) -> None:
        """Two waiting takers get different messages."""
        first, second = self.take(), self.take()
        self.put("one")
        self.assertEqual(self.successResultOf(first), "one")
        self.assertNoResult(second)
        self.put("two")
        self.assertEqual(self.successResultOf(second), "two")


class CancelTests(InboxTests):
    """A program may stop waiting, for example at its own timeout."""

    def test_nothing_is_lost(self) -> None:
        """The next taker gets a message that comes after a cancelled wait."""
        taking = self.take()
        taking.cancel()
        self.failureResultOf(taking, CancelledError)
        self.put("one")
        self.assertEqual(self.successResultOf(self.take()), "one")

    def test_waits_again(self) -> None:
        """After a cancelled wait, a new wait works."""
        taking = self.take()
        taking.cancel()
        self.failureResultOf(taking, CancelledError)
        again = self.take()
        self.assertNoResult(again)
        self.put("one")
        self.assertEqual(self.successResultOf(again), "one")

    def test_another_goes_on_waiting(self) -> None:
        """Another taker's wait is not affected."""
        first, second = self.take(), self.take()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertNoResult(second)
        self.put("one")
        self.assertEqual(self.successResultOf(second), "one")


class CloseTests(InboxTests):
    """After the session's end, the earlier messages come first, and then the end."""

    def test_clean_end(self) -> None:
        """After a clean end, the iteration stops."""
        self.put("one")
        self.inbox.close(GOODBYE)
        self.assertEqual(self.successResultOf(self.take()), "one")
        self.failureResultOf(self.take(), StopAsyncIteration)
        self.failureResultOf(self.take(), StopAsyncIteration)

    def test_lost(self) -> None:
        """After a lost session, taking raises the reason."""
        self.put("one")
        self.inbox.close(LOST)
        self.assertEqual(self.successResultOf(self.take()), "one")
        for _ in range(2):
            error = self.failureResultOf(self.take(), SessionEnded).value
            self.assertEqual(str(error), str(LOST))
            self.assertIsNot(error, LOST)

    def test_end_while_waiting(self) -> None:
        """All waiting takers learn of the end."""
        first, second = self.take(), self.take()
        self.inbox.close(LOST)
        self.failureResultOf(first, SessionEnded)
        self.failureResultOf(second, SessionEnded)


class BoundTests(InboxTests):
    """The size of the inbox is limited."""

    def fill(self) -> None:
        """Put as many messages of one mebibyte as certainly fit."""
        for number in range(MAX_UNREAD // MIB - 1):
            self.assertTrue(self.inbox.put(self.large(number)))

    def large(self, number: int, *, seq: int | None = None) -> Message:
        header = ChatHeader(id=str(number), room="lobby", sender="bob", seq=seq)
        return Message(MessageType.MESSAGE, header, bytes([number]) * MIB)

    def test_full(self) -> None:
        """Beyond the limit, messages are left to the server, and the inbox keeps the oldest."""
        self.fill()
        for seq in range(100, 120):
            message = self.large(seq, seq=seq)
            self.assertTrue(self.inbox.put(message))
        kept = [self.successResultOf(Deferred.fromCoroutine(self.inbox.take())) for _ in range(7)]
        self.assertEqual([message.content[0] for message in kept], list(range(7)))
        behind = cast(Behind, self.inbox.to_fetch())
        self.assertEqual((behind.after, behind.newest), (99, 119))

    def test_not_kept_by_the_server(self) -> None:
        """A message that does not fit is lost if the server keeps it nowhere."""
        self.fill()
        self.assertFalse(self.inbox.put(self.large(100)))

    def test_refill(self) -> None:
        """The inbox asks for the messages at the server when half of it is taken."""
        asked: list[int] = []
        self.fill()
        self.inbox.put(self.large(100, seq=100))
        self.inbox.refill = lambda: asked.append(self.inbox._bytes)
        for number in range(4):
            self.assertIsNone(self.inbox.to_fetch(), number)
            self.assertEqual(asked, [])
            self.successResultOf(Deferred.fromCoroutine(self.inbox.take()))
        self.assertEqual(len(asked), 1)
        self.inbox.close(LOST)
        self.assertIsNone(self.inbox.to_fetch())

    def test_reading_makes_room(self) -> None:
        """Taken messages no longer count."""
        self.put("one")
        self.successResultOf(self.take())
        for _ in range(3):
            self.fill()
            for _ in range(MAX_UNREAD // MIB - 1):
                self.successResultOf(self.take())

    def test_small_messages_count(self) -> None:
        """Messages without content count too, for their overhead."""
        self.put("one")
        self.successResultOf(self.take())
        empty = Message.chat(b"", id="1")
        self.assertIn(False, (self.inbox.put(empty) for _ in range(MAX_UNREAD // 256)))

    def test_largest_message(self) -> None:
        """A message over the limit reaches a waiting taker: the limit is for later messages."""
        taking = Deferred.fromCoroutine(self.inbox.take())
        message = Message.chat(bytes(MAX_UNREAD + 1))
        self.assertTrue(self.inbox.put(message))
        self.assertIs(self.successResultOf(taking), message)

    def test_largest_message_before_anyone_asks(self) -> None:
        """A message over the limit is kept before the first take."""
        message = Message.chat(bytes(MAX_UNREAD + 1))
        self.assertTrue(self.inbox.put(message))
        self.assertIs(self.successResultOf(Deferred.fromCoroutine(self.inbox.take())), message)
