"""Colours at a terminal."""

import re
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.colours import PALETTE, PLAIN, Ink, ink_for

XTERM = {"TERM": "xterm-256color"}
_LEVELS = (0, 95, 135, 175, 215, 255)  # of each component in xterm's 6x6x6 cube, from colour 16


def luminance(colour):
    """Return the relative luminance of one of xterm's colours (WCAG 2.1)."""
    number = colour - 16
    components = (_LEVELS[number // 36], _LEVELS[number // 6 % 6], _LEVELS[number % 6])
    linear = [
        each / 255 / 12.92 if each <= 10 else ((each / 255 + 0.055) / 1.055) ** 2.4
        for each in components
    ]
    return sum(part * share for part, share in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


class PaletteTests(SynchronousTestCase):
    def test_contrast(self):
        """Each colour has a contrast of at least 4:1 with black and with white."""
        for colour in PALETTE:
            self.assertGreaterEqual((luminance(colour) + 0.05) / 0.05, 4)
            self.assertGreaterEqual(1.05 / (luminance(colour) + 0.05), 4)


class InkTests(SynchronousTestCase):
    def test_stable(self):
        """A name has the same colour in every process."""
        program = "from chatd.cli.colours import ink_for; import sys; sys.stdout.write("
        program += f"ink_for({XTERM}, is_terminal=True).name('alice'))"
        elsewhere = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, check=True, text=True
        )
        here = ink_for(XTERM, is_terminal=True).name("alice")
        self.assertEqual(elsewhere.stdout, here)
        self.assertEqual(here, f"\x1b[38;5;{PALETTE[1]}malice\x1b[39m")

    def test_spelling(self):
        """Spellings of a name that count as the same name have the same colour."""
        ink = ink_for(XTERM, is_terminal=True)
        colours = {ink.name(name).partition("m")[0] for name in ("Zoë", "zoë", "zoe\u0308")}
        self.assertEqual(len(colours), 1)

    def test_all_are_used(self):
        """Names are spread over all colours."""
        ink = ink_for(XTERM, is_terminal=True)
        used = {ink.name(f"guest-{number}").partition("m")[0] for number in range(200)}
        self.assertEqual(used, {f"\x1b[38;5;{colour}" for colour in PALETTE})

    @given(st.text())
    def test_name(self, name):
        """A name is unchanged, between the codes that set and reset its colour."""
        written = Ink("31", "32").name(name)
        self.assertRegex(written, re.compile(r"\A\x1b\[3[12]m.*\x1b\[39m\Z", re.DOTALL))
        self.assertEqual(written[5:-5], name)
        self.assertEqual(PLAIN.name(name), name)

    def test_earlier(self):
        """Earlier messages are dimmed, if there are colours."""
        self.assertEqual(Ink("31").earlier("so"), "\x1b[2mso\x1b[0m")
        self.assertEqual(PLAIN.earlier("so"), "so")


class ChoiceTests(SynchronousTestCase):
    def choose(self, is_terminal=True, **environment):
        """Return a name as the ink of an environment writes it."""
        return ink_for(environment, is_terminal=is_terminal).name("al")

    def test_none(self):
        """There are no colours without a terminal, on a dumb terminal, or with NO_COLOR."""
        for environment in (
            {"TERM": "xterm", "is_terminal": False},
            {"TERM": "dumb"},
            {"TERM": ""},
            {},
            {"TERM": "xterm-256color", "NO_COLOR": "1"},
            {"TERM": "xterm-256color", "NO_COLOR": "0"},
        ):
            self.assertEqual(self.choose(**environment), "al")

    def test_empty_no_color(self):
        """An empty NO_COLOR has no effect, as no-color.org says."""
        self.assertIn("\x1b[38;5;", self.choose(TERM="xterm-256color", NO_COLOR=""))

    def test_many_or_few(self):
        """A terminal that does not announce 256 colours gets the basic colours."""
        self.assertIn("\x1b[38;5;", self.choose(TERM="xterm", COLORTERM="truecolor"))
        self.assertRegex(self.choose(TERM="xterm"), r"\A\x1b\[3[1256]mal\x1b\[39m\Z")
