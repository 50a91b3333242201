"""Tests of the pages of history that a client reads."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.pages import MAX_PAGE_BYTES, Page, Pages
from chatd.wire.messages import Message


class PageTests(SynchronousTestCase):
    """A page holds the requested messages."""

    def test_in_order(self) -> None:
        """It keeps the messages in the order of their arrival."""
        page = Page(2)
        messages = [Message.chat(text) for text in ("one", "two")]
        for message in messages:
            page.add(message)
        self.assertEqual((page.messages, page.is_over), (messages, False))

    def test_too_many_messages(self) -> None:
        """A message more than requested is too much."""
        page = Page(1)
        page.add(Message.chat("one"))
        self.assertFalse(page.is_over)
        page.add(Message.chat("two"))
        self.assertTrue(page.is_over)

    def test_too_many_bytes(self) -> None:
        """A byte over the limit is too much, even in few messages."""
        page = Page(500)
        page.add(Message.chat(bytes(MAX_PAGE_BYTES)))
        self.assertFalse(page.is_over)
        page.add(Message.chat(b"x"))
        self.assertTrue(page.is_over)


class PagesTests(SynchronousTestCase):
    """The ids of their commands find the pages."""

    def setUp(self) -> None:
        self.pages = Pages()
        self.one, self.two = self.pages.begin("one", 10), self.pages.begin("two", 20)

    def test_found(self) -> None:
        """The id of its own command finds each page."""
        self.assertIs(self.pages.get("one"), self.one)
        self.assertIs(self.pages.get("two"), self.two)
        self.assertEqual(len(self.pages), 2)

    def test_not_found(self) -> None:
        """A message without a `ref`, or with that of another command, belongs to no page."""
        self.assertIsNone(self.pages.get(None))
        self.assertIsNone(self.pages.get("three"))

    def test_ended(self) -> None:
        """The client does not find the page of an answered command; the others stay."""
        self.pages.end("one")
        self.assertIsNone(self.pages.get("one"))
        self.assertIs(self.pages.get("two"), self.two)
        self.assertEqual(len(self.pages), 1)

    def test_other_answers(self) -> None:
        """The answer to any other command, or to none, changes nothing."""
        self.pages.end("three")
        self.pages.end(None)
        self.assertEqual(len(self.pages), 2)
