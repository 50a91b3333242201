"""Tests of the order of a session's answers."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.chat.answers import Answers


class AnswersTests(SynchronousTestCase):
    def setUp(self):
        self.answers = Answers()
        self.done = []

    def then(self, what):
        self.answers.then(lambda: self.done.append(what))

    def test_at_once(self):
        """If no message waits for its answer, an action runs at once."""
        self.then("now")
        self.assertEqual((self.done, self.answers.owed), (["now"], 0))

    def test_between(self):
        """Each action runs after the answers to all messages before it, whatever follows."""
        self.answers.expect()
        self.then("after the first")
        self.answers.expect()
        self.then("after the second")
        self.then("then")
        self.assertEqual((self.done, self.answers.owed), ([], 5))
        self.answers.answered()
        self.assertEqual((self.done, self.answers.owed), (["after the first"], 3))
        self.answers.answered()
        self.assertEqual(self.done, ["after the first", "after the second", "then"])
        self.assertEqual(self.answers.owed, 0)

    def test_bytes(self):
        """The bytes of messages and actions count until their answers and their turns come."""
        self.answers.then(lambda: None, 5)
        counts = [self.answers.owed_bytes]
        self.answers.expect(2, 30)
        self.answers.then(lambda: counts.append(self.answers.owed_bytes), 7)
        self.answers.expect(1, 200)
        counts.append(self.answers.owed_bytes)
        self.answers.answered(2, 30)
        self.answers.answered(1, 200)
        self.assertEqual([*counts, self.answers.owed_bytes], [0, 237, 200, 0])

    def test_again(self):
        """After the answers to all messages, the next action runs at once again."""
        self.answers.expect()
        self.answers.answered()
        self.then("now")
        self.assertEqual(self.done, ["now"])

    def test_done_while_it_is_done(self):
        """An action that is added during another action comes after the actions already due."""
        self.answers.expect()
        self.answers.then(lambda: self.then("added"))
        self.then("last")
        self.answers.answered()
        self.assertEqual(self.done, ["last", "added"])

    def test_failure(self):
        """The error of an action is raised after all other actions; no action runs twice."""

        def fail():
            raise KeyError("no")

        self.answers.expect()
        self.answers.then(fail)
        self.answers.then(fail)
        self.then("all the same")
        self.assertRaises(KeyError, self.answers.answered)
        self.assertEqual((self.done, self.answers.owed), (["all the same"], 0))
