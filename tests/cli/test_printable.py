"""Tests of text without characters that control a terminal or are invisible."""

import json
import unicodedata

from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.printable import escaped, plain

JOINERS = {"\u200c", "\u200d"}
UNSEEN = {
    char
    for char in map(chr, [*range(0xD800), *range(0xE000, 0x110000)])
    if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp")
}
TEXT = "\U0001f468\u200d\U0001f469 \u0645\u06cc\u200c\u062e ж語🙂 é"


class PlainTests(SynchronousTestCase):
    def test_plain(self):
        """Letters of any script, emoji with joiners, and tabs are kept."""
        self.assertEqual(plain(f"a\t{TEXT}"), f"a\t{TEXT}")

    def test_controls(self):
        """All controls and format characters become U+FFFD, but for the joiners and the tab."""
        kept = {char for char in UNSEEN if plain(f"a{char}b") != "a\ufffdb"}
        self.assertEqual(kept, {*JOINERS, "\t"})


class EscapedTests(SynchronousTestCase):
    def test_kept(self):
        """Letters of any script, emoji with joiners, and spaces of any kind are kept."""
        for text in ("", "abc", TEXT, "\u3000\xa0"):
            self.assertEqual(escaped(text), text)

    def test_escapes(self):
        """An escape is one of JSON, a pair of surrogates beyond the first plane."""
        self.assertEqual(escaped("a\ufeffb\xad"), r"a\ufeffb\u00ad")
        self.assertEqual(escaped("\U000e0041"), r"\udb40\udc41")
        self.assertEqual(escaped("\x7f\x85\u202e"), r"\u007f\u0085\u202e")

    def test_all(self):
        """All controls and format characters but the joiners have escapes that decode again."""
        for char in UNSEEN - JOINERS:
            line = escaped(f'"{char}"')
            self.assertTrue(line.isascii(), ascii(char))
            self.assertEqual(json.loads(line), char)
