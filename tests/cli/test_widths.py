"""Widths of text, and lines that break between words."""

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.widths import width_of, wrapped


class WidthTests(SynchronousTestCase):
    def test_width(self):
        """Wide characters take two columns, combining marks none."""
        self.assertEqual([width_of(text) for text in ("ab", "語", "e\u0301", "")], [2, 2, 1, 0])


class WrappedTests(SynchronousTestCase):
    def test_words(self):
        """A long line breaks between words, and goes on under its text."""
        self.assertEqual(
            wrapped("bob: one two  three four", 13, 5), ["bob: one two", "     three", "     four"]
        )

    def test_short(self):
        """A line that fits stays as it is, with all its spaces."""
        for line in ("", "  a   b ", "x" * 20):
            self.assertEqual(wrapped(line, 20, 5), [line])

    def test_long_word(self):
        """A word that fits no line stays whole, and so does what follows it."""
        word = "https://example.org/" + "x" * 20
        self.assertEqual(wrapped(f"bob: {word} is it", 20, 5), [f"bob: {word}", "     is it"])

    def test_wide(self):
        """Wide characters count twice; lines break between them, but not before a full stop."""
        self.assertEqual(wrapped("a: 語語語。語", 9, 3), ["a: 語語", "   語。語"])
        self.assertEqual(wrapped("a: 語e\u0301e\u0301 語", 8, 3), ["a: 語e\u0301e\u0301", "   語"])

    def test_joined(self):
        """A line does not break within an emoji of several characters."""
        family = "\U0001f468\u200d\U0001f469"
        self.assertEqual(wrapped(f"a: {family}{family}", 8, 3), [f"a: {family}", f"   {family}"])

    def test_colours(self):
        """Colours take no columns."""
        name = "\x1b[31mbob\x1b[39m"
        self.assertEqual(wrapped(f"{name}: one two", 12, 5), [f"{name}: one two"])
        self.assertEqual(wrapped(f"{name}: one two", 11, 5), [f"{name}: one", "     two"])

    def test_tab(self):
        """A tab counts as the most columns that it may take."""
        self.assertEqual(wrapped("a\tb", 9, 2), ["a", "  b"])
        self.assertEqual(wrapped("a\tb", 10, 2), ["a\tb"])

    @given(st.text(max_size=200), st.integers(1, 30), st.integers(0, 30))
    def test_any_text(self, text, columns, indent):
        """Nothing is lost but white space."""
        line = "".join(text.replace("\x1b", "").splitlines())
        shown = "".join(wrapped(line, columns, indent))
        self.assertEqual(re.sub(r"\s", "", shown), re.sub(r"\s", "", line))

    @given(st.lists(st.text("ab语 ", min_size=1, max_size=8)), st.integers(16, 30))
    def test_fits(self, words, columns):
        """Each line of words that fit is at most as wide as the terminal, without its end."""
        for line in wrapped(" ".join(words), columns, 0):
            self.assertLessEqual(width_of(line.rstrip()), columns)
