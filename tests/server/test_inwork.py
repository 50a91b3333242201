"""Tests of `chatd.server.inwork`."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.chat.answers import Answers
from chatd.chat.commits import MAX_BATCH
from chatd.server.inwork import InWork
from chatd.server.limits import Limits


class InWorkTests(SynchronousTestCase):
    def setUp(self):
        self.answers = Answers()
        self.in_work = InWork(Limits(max_in_work=3, max_in_work_bytes=100))

    def say(self, length):
        """Count a message without an answer; return whether the bound is reached."""
        self.answers.expect(1, length)
        return self.in_work.is_too_much(self.answers)

    def test_messages(self):
        """The number of waiting messages is bounded."""
        self.assertEqual([self.say(1) for _ in range(4)], [False, False, True, True])

    def test_bytes(self):
        """The bytes of waiting messages are bounded, even if the messages are few."""
        self.assertEqual([self.say(60), self.say(40)], [False, True])

    def test_left(self):
        """What is left for the next run: messages and bytes, at most one transaction's messages."""
        self.assertEqual(self.in_work.left(self.answers), (3, 100))
        self.say(60)
        self.assertEqual(self.in_work.left(self.answers), (2, 40))
        many = InWork(Limits(max_in_work=5 * MAX_BATCH))
        self.assertEqual(many.left(self.answers)[0], MAX_BATCH)

    def test_some_answered(self):
        """A message that has its answer does not count."""
        self.say(60)
        self.say(40)
        self.answers.answered(1, 60)
        self.assertEqual(self.in_work.left(self.answers), (2, 60))
        self.assertEqual([self.say(59), self.say(1)], [False, True])

    def test_answered(self):
        """After the answers to all messages, the caller gets a call."""
        self.say(100)
        waiting = self.in_work.when_answered()
        self.assertNoResult(waiting)
        self.in_work.answered()
        self.assertIsNone(self.successResultOf(waiting))

    def test_nobody_waits(self):
        """The answers need no waiting caller."""
        self.in_work.answered()
        self.assertNoResult(self.in_work.when_answered())
