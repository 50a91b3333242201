"""Messages for the person, and the bell."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.attention import BELL, Bell, is_for, mentions
from tests.cli.wiring import said


class MentionTests(SynchronousTestCase):
    def test_words(self):
        """A name is mentioned as a word, in any case."""
        for text in ("alice", "Hello, ALICE!", "alice: tea?", "(alice)", "a\nalice\nb"):
            self.assertTrue(mentions(text, "alice"), text)
        for text in ("", "malice", "alices", "alice-2", "al-alice", "hello"):
            self.assertFalse(mentions(text, "alice"), text)

    def test_odd_names(self):
        """A name is no pattern, and may begin with a mark."""
        self.assertTrue(mentions("hello a.b", "a.b"))
        self.assertFalse(mentions("hello aXb", "a.b"))
        self.assertTrue(mentions("hello [al]", "[al]"))

    def test_for(self):
        """Direct messages and mentions by others are for the person."""
        direct = said("psst", room=None, to="alice")
        self.assertTrue(is_for(direct, "alice"))
        self.assertTrue(is_for(said("hello alice"), "alice"))
        self.assertFalse(is_for(said("hello"), "alice"))
        self.assertFalse(is_for(said("I am alice", sender="Alice"), "alice"))
        self.assertFalse(is_for(said("psst", sender="alice", room=None, to="bob"), "alice"))
        self.assertFalse(is_for(direct, ""))

    def test_no_text(self):
        """A message that is no text mentions nobody, with any bytes and any type."""
        self.assertFalse(is_for(said("alice", content_type="image/png"), "alice"))
        self.assertFalse(is_for(said("", content_type="alice/x"), "alice"))


class BellTests(SynchronousTestCase):
    def test_off(self):
        """The bell is silent until it is turned on."""
        self.assertEqual(Bell().ring(0), "")

    def test_pause(self):
        """Many messages at once ring it once; a clock that is set back does not silence it."""
        bell = Bell()
        bell.is_on = True
        rings = [bell.ring(now) for now in (10, 10, 10.9, 11, 12.5, 5)]
        self.assertEqual(rings, [BELL, "", "", BELL, BELL, BELL])
