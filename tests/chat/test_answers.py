"""Tests of what a session is owed, and in which order."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.chat.answers import Answers


class AnswersTests(SynchronousTestCase):
    def setUp(self):
        self.answers = Answers()
        self.done = []

    def then(self, what):
        self.answers.then(lambda: self.done.append(what))

    def test_at_once(self):
        """Where nothing that was said waits, it is done at once."""
        self.then("now")
        self.assertEqual((self.done, self.answers.owed), (["now"], 0))

    def test_between(self):
        """Each thing is done when all before it has its answer, whatever is said later."""
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

    def test_again(self):
        """When all is answered, what comes next is done at once again."""
        self.answers.expect()
        self.answers.answered()
        self.then("now")
        self.assertEqual(self.done, ["now"])

    def test_done_while_it_is_done(self):
        """What is added while something is done comes after what was to be done already."""
        self.answers.expect()
        self.answers.then(lambda: self.then("added"))
        self.then("last")
        self.answers.answered()
        self.assertEqual(self.done, ["last", "added"])

    def test_failure(self):
        """What fails is raised when all else is done; nothing is done twice."""

        def fail():
            raise KeyError("no")

        self.answers.expect()
        self.answers.then(fail)
        self.answers.then(fail)
        self.then("all the same")
        self.assertRaises(KeyError, self.answers.answered)
        self.assertEqual((self.done, self.answers.owed), (["all the same"], 0))
