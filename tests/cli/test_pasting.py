"""Finding pasted text among keys, and making a message of it."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.pasting import PasteFinder, escape_paste
from chatd.cli.typed import command_in, message_in


class Press(NamedTuple):
    key: str
    data: str


UP = Press("up", "\x1b[A")
ESCAPE = Press("escape", "\x1b")
REPORT = Press("<cursor-position-response>", "\x1b[24;1R")
NAMES = {"\r": "c-m", "\n": "c-j", "\t": "c-i"}


def keys(text):
    """Return the keys of a text; each character is a key."""
    return [Press(NAMES.get(char, char), char) for char in text]


def paste(text):
    """Return the key of a paste."""
    return Press("<bracketed-paste>", text)


class FinderTests(SynchronousTestCase):
    def setUp(self):
        self.finder = PasteFinder()

    def find(self, *presses):
        return self.finder.find(presses, paste)

    def test_typed(self):
        """A line, Enter several times, and keys that are not text stay as they are."""
        for text in ("a", "exit\r", "\r\r", "exit\r\r", "a\tb", "\r"):
            self.assertEqual(self.find(*keys(text)), keys(text))
        mixed = [*keys("a\r"), UP, *keys("b\r"), UP, *keys("c\n")]
        self.assertEqual(self.find(*mixed), mixed)
        self.assertEqual(self.find(), [])

    def test_several_lines(self):
        """Text behind an Enter that was waiting with it makes both a paste."""
        for text, pasted in (
            ("a\rexit\r", "a\nexit\n"),
            ("a\nb", "a\nb"),
            ("\rexit\r", "\nexit\n"),
            ("a\r\tb\r", "a\n\tb\n"),
        ):
            self.finder = PasteFinder()
            self.assertEqual(self.find(*keys(text)), [paste(pasted)])

    def test_beside_other_keys(self):
        """Only the text is a paste, not the keys and reports beside it."""
        self.assertEqual(self.find(REPORT, *keys("a\rb"), UP), [REPORT, paste("a\nb"), UP])

    def test_reports(self):
        """A report of the cursor's position neither splits a paste nor ends it."""
        self.assertEqual(
            self.find(*keys("a\r"), REPORT, *keys("exit\r")), [REPORT, paste("a\nexit\n")]
        )
        self.assertEqual(self.find(REPORT), [REPORT])
        self.assertEqual(self.find(*keys("exit\r")), [paste("\nexit\n")])

    def test_alt_enter(self):
        """Alt+Enter, which arrives as Escape and Enter, is typed."""
        typed = [*keys("a"), ESCAPE, *keys("\rb\r")]
        self.assertEqual(self.find(*typed), typed)

    def test_rest_of_a_paste(self):
        """A line that follows a paste, with its Enter, belongs to the paste."""
        self.find(*keys("a\rb"))
        self.assertEqual(self.find(*keys("c")), keys("c"))
        self.assertEqual(self.find(*keys("\texit\r")), [paste("\texit\n")])
        self.assertEqual(self.find(*keys("exit\r")), [paste("\nexit\n")])

    @given(st.lists(st.text("ab\r", min_size=1), max_size=8))
    def test_line_ends(self, reads):
        """In any cut of a text into reads, no two of its lines join."""
        self.finder = PasteFinder()
        sent, draft = [], ""
        for read in reads:
            for press in self.find(*keys(read)):
                if press.key == "c-m":
                    sent.append(draft)
                    draft = ""
                elif press.key == "<bracketed-paste>":
                    draft += escape_paste(press.data, at_start=not draft, is_command=is_command)
                else:
                    draft += press.data
        sent.append(draft)
        lines = [line for message in sent for line in message.split("\n") if line]
        self.assertEqual(lines, [line for line in "".join(reads).split("\r") if line])

    def test_end_of_a_paste(self):
        """Enter alone, or a key that is not text, ends the paste."""
        for end in (keys("\r"), [UP]):
            self.find(*keys("a\rb"))
            self.assertEqual(self.find(*end), end)
            self.assertEqual(self.find(*keys("exit\r")), keys("exit\r"))

    @given(st.text(alphabet="ab\r\t", max_size=12))
    def test_any_text(self, text):
        """No text is lost, and no Enter with text behind it stays."""
        self.finder = PasteFinder()
        found = self.find(*keys(text))
        self.assertEqual("".join(each.data for each in found).replace("\n", "\r"), text)
        if len(found) > 1:
            self.assertNotRegex("".join(each.data for each in found), "\r+[^\r]")


def is_command(name):
    """Stand in for the table of commands."""
    return name in ("join", "quit")


class EscapeTests(SynchronousTestCase):
    def escape(self, text, *, at_start=True):
        return escape_paste(text, at_start=at_start, is_command=is_command)

    def test_line_ends(self):
        """Each line end becomes a newline; line ends at the end are dropped."""
        self.assertEqual(self.escape("a\r\nb\rc\n\n"), "a\nb\nc")
        self.assertEqual(self.escape("a\r\n", at_start=False), "a")
        self.assertEqual(self.escape("\n"), "")

    def test_one_command(self):
        """The line of a command, and a path, are pasted as they are."""
        for text in ("/join ops", "/JOIN ops\n", "/etc/hosts\n/etc/passwd"):
            self.assertEqual(self.escape(text), text.rstrip("\n"))

    def test_no_command(self):
        """Several lines, or a line of no command, get another slash at the start of a line."""
        for text in ("/join ops\nhello", "/whome too", "/tmp is full", "// remark", "/"):
            self.assertEqual(self.escape(text), f"/{text}")
            self.assertEqual(self.escape(text, at_start=False), text)

    @given(st.text(alphabet="/join ops\n", max_size=16))
    def test_any_paste(self, text):
        """The client sends a paste as it is, unless it is the single line of a command."""
        escaped = self.escape(text)
        command = command_in(escaped)
        if command is None:
            self.assertEqual(message_in(escaped), text.rstrip("\n"))
        else:
            self.assertTrue(is_command(command.name))
            self.assertNotIn("\n", escaped)
