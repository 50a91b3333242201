"""The people whose messages are not shown."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.ignored import MAX_IGNORED, Ignored
from tests.cli.wiring import said


class IgnoredTests(SynchronousTestCase):
    def test_names(self):
        """Names are the same in all spellings, and the latest spelling is kept."""
        ignored = Ignored(["Bob", "carol"])
        self.assertTrue(ignored.has("BOB"))
        self.assertTrue(ignored.add("bob"))
        self.assertEqual(ignored.names, ["bob", "carol"])
        self.assertTrue(ignored.remove("CAROL"))
        self.assertFalse(ignored.remove("carol"))
        self.assertEqual(ignored.names, ["bob"])
        self.assertFalse(ignored.is_kept)

    def test_hides(self):
        """It hides the messages, arrivals and departures of ignored people, and no others."""
        ignored = Ignored(["bob"])
        for shown, is_hidden in (
            (said("hello"), True),
            (said("hello", room=None, to="alice"), True),
            (said("hello", sender="carol"), False),
            (said("hello", sender=None), False),
            ({"event": "joined", "name": "Bob"}, True),
            ({"event": "left", "name": "bob"}, True),
            ({"event": "left", "name": "carol"}, False),
            ({"event": "left"}, False),
            ({"event": "topic", "name": "bob"}, False),
        ):
            self.assertEqual(ignored.hides(shown), is_hidden, shown)

    def test_saved(self):
        """Each change is saved."""
        saved: list[Any] = []
        ignored = Ignored(["bob"], saved.append)
        ignored.add("carol")
        ignored.remove("bob")
        ignored.remove("bob")
        self.assertEqual(saved, [["bob", "carol"], ["carol"]])
        self.assertTrue(ignored.is_kept)

    def test_limit(self):
        """The number of names is limited."""
        ignored = Ignored(map(str, range(MAX_IGNORED)))
        self.assertFalse(ignored.add("bob"))
        self.assertTrue(ignored.add("7"))
        self.assertEqual(len(ignored.names), MAX_IGNORED)
