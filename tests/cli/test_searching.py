"""Tests of searching: the messages that have a text, and the end of a search."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.cli import searching
from chatd.cli.display import MAX_SHOWN_BYTES
from chatd.cli.places import Place
from chatd.cli.searching import MAX_EXCERPT, Search, excerpt
from chatd.testing import MemoryServer
from tests.cli.wiring import said


class ExcerptTests(SynchronousTestCase):
    def test_found(self):
        """A message has a text in any case, Unicode form and white space."""
        for content, text in (
            ("Tea", "tea"),
            ("tea", "TEA"),
            ("green TEA pot", "n tea p"),
            ("one\n\ttwo", "one two"),
            ("one two", " one   two "),
            ("Straße", "STRASSE"),
            ("STRASSE", "straße"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("caf\u00e9", "CAFE\u0301"),
            ("cafe\u0301", "caf\u00e9"),
            ("a\u00a0b", "a b"),
        ):
            self.assertEqual(excerpt(said(content), text), _composed(content), (content, text))

    def test_not_found(self):
        """The search does not find a message without the text, or without any text."""
        self.assertIsNone(excerpt(said("coffee"), "tea"))
        self.assertIsNone(excerpt(said(""), "tea"))
        self.assertIsNone(excerpt(said("tea", content_type="image/png"), "tea"))
        self.assertIsNotNone(excerpt(said("tea", content_type="text/html"), "tea"))

    def test_not_shown(self):
        """The search ignores the part that is not shown; a cut character is harmless."""
        long = "é" * (MAX_SHOWN_BYTES // 2 - 1) + "x"
        self.assertIsNotNone(excerpt(said(f"{long}y"), "xy"))
        self.assertIsNone(excerpt(said(f"{long}yz"), "xyz"))
        self.assertIsNotNone(excerpt(said(f"{long}é"), "x"))

    def test_long(self):
        """The search shows the part of a long message around the text."""
        begin = excerpt(said("tea" + "x" * 300), "tea")
        self.assertEqual(begin, "tea" + "x" * (MAX_EXCERPT - 3) + "…")
        middle = excerpt(said("x" * 300 + "tea" + "y" * 300), "tea")
        self.assertEqual(middle, "…" + "x" * 60 + "tea" + "y" * (MAX_EXCERPT - 63) + "…")
        end = excerpt(said("x" * 300 + "tea"), "tea")
        self.assertEqual(end, "…" + "x" * 60 + "tea")

    def test_long_with_long_folds(self):
        """Characters that become several when folded do not move that part."""
        part = excerpt(said("ß" * 300 + "TEA" + "ß" * 300), "tea")
        self.assertEqual(part, "…" + "ß" * 60 + "TEA" + "ß" * (MAX_EXCERPT - 63) + "…")

    def test_hostile_bytes(self):
        """Content that is not UTF-8 is searched all the same."""
        self.assertEqual(excerpt(said(b"\xff tea"), "TEA"), "\ufffd tea")


def _composed(content):
    return " ".join(content.replace("e\u0301", "\u00e9").split())


class SearchTests(SynchronousTestCase):
    def setUp(self):
        self.server = MemoryServer()
        self.alice = self.server.connect("alice")

    def say(self, *texts):
        for text in texts:
            self.alice.send(text)
        self.server.pump()

    def run_search(self, search):
        """Run a search; return the found texts, in order."""
        done = Deferred.fromCoroutine(search.run(self.alice))
        self.server.pump()
        self.successResultOf(done)
        return [message.text for message in search.page[1]]

    def test_keeps_the_header(self):
        """A found message has its sender, its room and its time."""
        self.say("tea  time")
        search = Search(Place("lobby", None), "tea")
        self.run_search(search)
        (message,) = search.page[1]
        self.assertEqual((message.sender, message.room), ("alice", "lobby"))
        self.assertEqual((message.text, message.seq), ("tea time", 1))

    def test_order(self):
        """The found messages are in order, from all pages that were searched."""
        self.patch(searching, "MAX_PAGE", 2)
        self.say("tea 1", "tea 2", "coffee", "tea 3")
        search = Search(Place("lobby", None), "tea")
        self.assertEqual(self.run_search(search), ["tea 1", "tea 2", "tea 3"])
        self.assertEqual(search.page[0], "the last 3 messages in lobby containing “tea”")
        self.assertEqual(self.run_search(search), [])

    def test_found_late(self):
        """The first page that has messages is the last, also if an earlier run found nothing."""
        self.patch(searching, "MAX_PAGE", 2)
        self.patch(searching, "MAX_SEARCHED", 2)
        self.say("tea", "coffee", "coffee")
        search = Search(Place("lobby", None), "tea")
        self.assertEqual(self.run_search(search), [])
        self.assertEqual(self.run_search(search), ["tea"])
        self.assertEqual(search.page[0], "the last message in lobby containing “tea”")

    def test_bound_on_messages(self):
        """After many messages a search stops at the end of the page, and can go on."""
        self.patch(searching, "MAX_PAGE", 2)
        self.patch(searching, "MAX_SEARCHED", 3)
        self.say("tea", *"abcde")
        search = Search(Place("lobby", None), "tea")
        self.assertEqual(self.run_search(search), [])
        self.assertIn("nothing found; searched 4 messages in lobby, back to", search.summary)
        self.assertEqual(self.run_search(search), ["tea"])
        self.assertIn("searched 6 messages, all", search.summary)
        self.assertTrue(search.is_over)

    def test_bound_on_bytes(self):
        """So it does after many bytes."""
        self.patch(searching, "MAX_PAGE", 2)
        self.patch(searching, "MAX_SEARCHED_BYTES", 4)
        self.say("tea", "aa", "bb", "cc")
        search = Search(Place("lobby", None), "tea")
        self.assertEqual(self.run_search(search), [])
        self.assertFalse(search.is_over)
        self.assertEqual(self.run_search(search), ["tea"])
        self.assertTrue(search.is_over)

    def test_bound_at_the_last_message(self):
        """A search that finds enough with the oldest message is over."""
        self.patch(searching, "MAX_FOUND", 2)
        self.say("tea", "tea")
        search = Search(Place("lobby", None), "tea")
        self.run_search(search)
        self.assertTrue(search.is_over)

    def test_deleted_meanwhile(self):
        """A search ends if its remaining messages were deleted."""
        self.patch(searching, "MAX_FOUND", 1)
        self.say("one", "two")
        search = Search(Place("lobby", None), "two")
        self.run_search(search)
        self.assertFalse(search.is_over)
        for stream in self.server.factory.store._streams.values():
            stream.drop(1)
        self.assertEqual(self.run_search(search), [])
        self.assertTrue(search.is_over)

    def test_long_text(self):
        """A summary repeats only the beginning of a long text."""
        self.say("hello")
        search = Search(Place("lobby", None), "x" * 300)
        self.run_search(search)
        self.assertTrue(search.summary.startswith("“" + "x" * 39 + "…”: nothing found"))

    def test_many(self):
        """Large numbers are readable."""
        self.say(*["tea"] * 1_000)
        search = Search(Place("lobby", None), "coffee")
        self.run_search(search)
        self.assertIn("searched 1,000 messages", search.summary)
