"""The bound of the questions that Redis works on at the same time."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.backplane.redis.questions import Questions


class QuestionsTests(SynchronousTestCase):
    def setUp(self):
        self.questions = Questions(2)
        self.sent = {}

    def ask(self, name):
        def send():
            self.sent[name] = Deferred()
            return self.sent[name]

        return Deferred.fromCoroutine(self.questions.ask(send))

    def test_bound(self):
        """Each answer lets the next question be sent; all get their own answers."""
        asked = [self.ask(name) for name in "abcd"]
        self.assertEqual(list(self.sent), ["a", "b"])
        self.sent["b"].callback("to b")
        self.assertEqual(self.successResultOf(asked[1]), "to b")
        self.assertEqual(list(self.sent), ["a", "b", "c"])
        self.sent["a"].errback(ValueError())
        self.failureResultOf(asked[0], ValueError)
        self.assertEqual(list(self.sent), ["a", "b", "c", "d"])

    def test_cancelled_while_waiting(self):
        """A question that is cancelled while it waits is never sent."""
        asked = [self.ask(name) for name in "abcd"]
        asked[2].cancel()
        self.failureResultOf(asked[2], CancelledError)
        self.sent["a"].callback(None)
        self.assertEqual(list(self.sent), ["a", "b", "d"])

    def test_cancelled_when_sent(self):
        """A question that is cancelled after it was sent counts until it is answered."""
        asked = [self.ask(name) for name in "abc"]
        asked[0].cancel()
        self.failureResultOf(asked[0], CancelledError)
        self.assertEqual(list(self.sent), ["a", "b"])
        self.sent["a"].callback(None)
        self.assertEqual(list(self.sent), ["a", "b", "c"])
