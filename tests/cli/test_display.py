"""The output for received messages and events."""

import base64
import json
import re
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.colours import Ink
from chatd.cli.cutting import MAX_ROWS
from chatd.cli.display import JsonDisplay, QuietDisplay, TextDisplay
from chatd.cli.eventwords import MAX_SHOWN_FIELD
from tests.cli.wiring import said

KNOWN_EVENTS = [
    "welcome",
    "joined",
    "left",
    "renamed",
    "room-changed",
    "topic",
    "absent",
    "error",
    "disconnected",
]
HARMLESS = re.compile("[\t\u200c\u200d]")  # a tab, and the joiners of letters and emoji
HELD = 1_000_000.0
"""The current time in most of these tests."""


class QuietDisplayTests(SynchronousTestCase):
    def test_errors_only(self):
        """The quiet display shows only errors."""
        shown: list[str] = []
        display = QuietDisplay(shown.append)
        display.message(said("hello"))
        for event in KNOWN_EVENTS:
            display.event({"event": event, "code": "bad-room", "message": "no such room"})
        self.assertEqual(shown, ["no such room (bad-room)"])

    def test_lying_server(self):
        """An error of a server that leaves out its text, or has too much, is one short line."""
        shown: list[str] = []
        display = QuietDisplay(shown.append)
        display.event({"event": "error", "code": None})
        display.event({"event": "error", "code": "x" * 60_000, "message": "no"})
        self.assertEqual(shown, [" ()", f"no ({'x' * MAX_SHOWN_FIELD}…)"])


class JsonDisplayTests(SynchronousTestCase):
    def setUp(self):
        self.lines: list[Any] = []
        self.display = JsonDisplay(self.lines.append)

    def shown(self):
        """Return the object of the only shown line."""
        (line,) = self.lines
        return json.loads(line)

    def test_message(self):
        """The display prints a message with all its fields."""
        self.display.message(said("hello", content_type="text/x-log", time=1.5))
        self.assertEqual(
            self.shown(),
            {
                "event": "message",
                "id": "m1",
                "room": "lobby",
                "from": "bob",
                "seq": 7,
                "time": 1.5,
                "content_type": "text/x-log",
                "text": "hello",
            },
        )

    def test_direct_message(self):
        """The display prints a direct message with its receiver, and without a room."""
        self.display.message(said("psst", room=None, to="alice"))
        shown = self.shown()
        self.assertEqual((shown["from"], shown["to"], shown["room"]), ("bob", "alice", None))
        self.assertEqual(shown["text"], "psst")

    def test_bytes(self):
        """The display prints content that is not UTF-8 in base64."""
        self.display.message(said(b"\xff\xfe"))
        shown = self.shown()
        self.assertEqual(shown["base64"], "//4=")
        self.assertNotIn("text", shown)

    def test_event(self):
        """The display prints an event with all its fields, its name first."""
        self.display.event({"room": "lobby", "name": "bob", "event": "joined"})
        self.assertEqual(self.lines, ['{"event":"joined","room":"lobby","name":"bob"}'])

    def test_controls(self):
        """Characters that control a terminal or split a line are escaped, and decode again."""
        text = "\x1b[2J \x7f \x85 \x9b31m \u2028 \u202e \u2066"
        self.display.message(said(text))
        self.assertTrue(self.lines[0].isprintable())
        self.assertEqual(self.shown()["text"], text)

    def test_format_characters(self):
        """Invisible characters are escaped, beyond the first plane too; they decode again."""
        for char, escape in (
            ("\ufeff", r"\ufeff"),
            ("\u00ad", r"\u00ad"),
            ("\u200b", r"\u200b"),
            ("\u061c", r"\u061c"),
            ("\U000e0041", r"\udb40\udc41"),
        ):
            self.lines.clear()
            self.display.message(said(f"a{char}b"))
            self.assertIn(f'"a{escape}b"', self.lines[0])
            self.assertEqual(self.shown()["text"], f"a{char}b")

    @given(st.binary(max_size=200))
    def test_any_content(self, content):
        """Any content makes one line, from which a program can decode it again."""
        lines: list[Any] = []
        JsonDisplay(lines.append).message(said(content))
        (line,) = lines
        shown = json.loads(line)
        read = shown["text"].encode() if "text" in shown else base64.b64decode(shown["base64"])
        self.assertEqual(read, content)
        self.assertNotIn("\n", line)


class TextDisplayTests(SynchronousTestCase):
    def setUp(self):
        self.lines: list[Any] = []
        self.display = TextDisplay(self.lines.append)

    def test_message(self):
        """The display shows a message with its sender."""
        self.display.message(said("hello"))
        self.assertEqual(self.lines, ["bob: hello"])

    def test_several_lines(self):
        """Further lines of a message are indented, so that they cannot imitate a sender."""
        self.display.message(said("one\nalice: two\r\n\nfour"))
        self.assertEqual(self.lines, ["bob: one", "  alice: two", "  ", "  four"])

    def test_too_much(self):
        """The display cuts a message that is too long for a terminal, and shows its length."""
        for content in ("\n" * 1_000_000, "x" * 1_000_000):
            self.lines.clear()
            self.display.message(said(content))
            self.assertLess(sum(map(len, self.lines)), 70_000)
            self.assertLess(len(self.lines), 300)
            self.assertEqual(self.lines[-1], "  [cut; 1000000 bytes in all]")

    def test_rows(self):
        """At a terminal, a long message takes some rows; the person can see it whole."""
        display = TextDisplay(self.lines.append, columns=lambda: 60, with_cuts=True)
        for content in ("x" * 3_000_000, "x " * 500_000, "\n" * 30, "x\n" * 19 + "y" * 70):
            self.lines.clear()
            display.message(said(content))
            *rows, end = self.lines
            self.assertLessEqual(sum(-(-len(row) // 60) for row in rows), MAX_ROWS + 2)
            self.assertEqual(end, f"  [cut; {len(content)} bytes in all; /history 20 shows more]")
            self.lines.clear()
            display.message(said(content), is_whole=True)
            self.assertNotIn("shows more", self.lines[-1])
            self.assertGreater(sum(map(len, self.lines)), sum(map(len, rows)))

    def test_rows_elsewhere(self):
        """A cut message of another place does not name a command that shows the current place."""
        places: list[tuple[str | None, str]] = []

        def is_here(message: Any, me: str) -> bool:
            places.append((message.room, me))
            return False

        display = TextDisplay(self.lines.append, with_cuts=True, is_here=is_here)
        display.message(said("x" * 5_000), "alice")
        self.assertEqual(self.lines[-1], "  [cut; 5000 bytes in all]")
        self.assertEqual(places, [("lobby", "alice")])

    def test_rows_that_fit(self):
        """A message that takes just as many rows is shown whole, also in wide characters."""
        for content in ("\n".join("x" * MAX_ROWS), "\u8a9e" * 800):
            self.lines.clear()
            display = TextDisplay(self.lines.append, with_cuts=True)
            display.message(said(content))
            self.assertNotIn("[cut;", "".join(self.lines))
            display.message(said(content + "\u8a9e" * 100))
            self.assertIn("[cut;", self.lines[-1])

    def test_time_that_no_calendar_has(self):
        """The display shows an impossible time as dashes."""
        display = TextDisplay(self.lines.append, with_time=True)
        for unix_time in (1e300, -1e300, 1e17):
            display.message(said("hello", time=unix_time))
        self.assertEqual(self.lines, ["--:-- bob: hello"] * 3)

    def test_empty(self):
        """The display shows an empty message."""
        self.display.message(said(""))
        self.assertEqual(self.lines, ["bob: "])

    def test_not_text(self):
        """The display shows content that is not text by its type and length."""
        self.display.message(said(b"\x89PNG", content_type="image/png"))
        self.assertEqual(self.lines, ["bob: [image/png, 4 bytes]"])

    def test_text_that_is_not_utf_8(self):
        """The display shows text that is not UTF-8 as far as it can decode it."""
        self.display.message(said(b"caf\xe9"))
        self.assertEqual(self.lines, ["bob: caf\ufffd"])

    def test_events(self):
        """The display shows events in words."""
        for event in (
            {"event": "welcome", "name": "alice", "room": "lobby", "session_id": "1"},
            {"event": "joined", "name": "bob", "room": "lobby"},
            {"event": "left", "name": "bob", "room": "lobby"},
            {"event": "left", "name": "bob", "room": "lobby", "by": "op"},
            {"event": "left", "name": "bob", "room": "lobby", "by": "op", "reason": "spam"},
            {"event": "room-changed", "name": "op", "room": "lobby", "private": True},
            {"event": "room-changed", "name": "op", "room": "lobby", "private": False},
            {"event": "renamed", "name": "robert", "old_name": "bob"},
            {"event": "topic", "name": "bob", "room": "lobby", "topic": "tea"},
            {"event": "topic", "name": "bob", "room": "lobby", "topic": ""},
            {"event": "absent", "name": "carol", "ref": "1"},
            {"event": "error", "code": "not-in-room", "message": "you are elsewhere"},
            {"event": "disconnected", "code": "kicked", "reason": "go", "retry": False},
        ):
            self.display.event(event)
        self.assertEqual(
            self.lines,
            [
                "* you are alice, in lobby",
                "* bob joined",
                "* bob left",
                "* bob was removed by op",
                "* bob was removed by op: spam",
                "* op made lobby private: only invited people may enter it now",
                "* op made lobby public: everybody may enter and read earlier messages now",
                "* bob is now called robert",
                "* bob set the topic: tea",
                "* bob cleared the topic",
                "* carol is not connected; the server keeps the message for that name",
                "* you are elsewhere (not-in-room)",
                "* you were kicked: go",
            ],
        )

    def test_unknown_event(self):
        """The display does not show an event without words."""
        self.display.event({"event": "married", "name": "bob"})
        self.assertEqual(self.lines, [])

    def test_event_without_its_fields(self):
        """An event that lacks fields does no harm."""
        for name in KNOWN_EVENTS:
            self.display.event({"event": name})
        self.display.event({"event": "left", "name": "bob"})
        self.assertEqual(self.lines[-1], "* bob left")

    def test_lying_server(self):
        """A field that is far too long or controls terminals is cut and made harmless."""
        for event, field in (
            *(("removed", "room"), ("joined", "name"), ("topic", "topic"), ("away", "text")),
            *(("disconnected", "reason"), ("invited", "room"), ("welcome", "rooms")),
        ):
            text = "a\x1b[2Jb\nc" + "x" * 60_000
            given = [{"room": text}] if field == "rooms" else text
            self.lines.clear()
            self.display.event({"event": event, field: given})
            (line,) = self.lines
            self.assertLess(len(line), 2 * MAX_SHOWN_FIELD + 100)
            self.assertIn("a\ufffd[2Jb\ufffdc", line)

    def test_braces(self):
        """Braces in received text have no effect."""
        self.display.event({"event": "joined", "name": "{room}", "room": "lobby"})
        self.display.message(said("{0} {name} %s"))
        self.assertEqual(self.lines, ["* {room} joined", "bob: {0} {name} %s"])

    def test_time_of_a_message(self):
        """With the time, a message begins with its local time."""
        display = TextDisplay(self.lines.append, with_time=True, unix_time=lambda: HELD)
        display.message(said("one\ntwo", time=HELD))
        clock = time.strftime("%H:%M", time.localtime(HELD))
        self.assertEqual(self.lines, [f"{clock} bob: one", f"{clock}   two"])

    def test_day_of_a_message(self):
        """The display shows a date before messages of another day, and when the day changes."""
        now = [HELD]
        display = TextDisplay(self.lines.append, with_time=True, unix_time=lambda: now[0])
        display.message(said("today", time=HELD))
        display.message(said("one\ntwo", time=HELD - 86_400), is_earlier=True)
        display.note("so it is")
        display.new_day()
        now[0] += 86_400
        display.new_day()
        display.new_day()
        day = {days: time.localtime(HELD + days * 86_400) for days in (-1, 0, 1)}
        date = {days: time.strftime("-- %a, %d %b %Y --", day[days]) for days in day}
        clock = time.strftime("%H:%M", day[0])
        before = time.strftime("%H:%M", day[-1])
        self.assertEqual(
            self.lines,
            [
                f"{clock} bob: today",
                date[-1],
                f"{before} | bob: one",
                f"{before} |   two",
                date[0],
                f"{clock} * so it is",
                date[1],
            ],
        )

    def test_actions(self):
        """The display shows a message that begins with `/me ` as an act of its sender."""
        self.display.message(said("/me waves\n/me too"))
        self.display.message(said("/me waves", room=None, to="alice"), "alice")
        self.display.message(said("/me waves", room=None, to="bob"), "bob")
        self.display.message(said("/me waves", content_type="image/png"))
        self.assertEqual(
            self.lines,
            [
                "** bob waves",
                "  /me too",
                "bob → you: ** bob waves",
                "you → you: ** bob waves",
                "bob: [image/png, 9 bytes]",
            ],
        )

    def test_bell(self):
        """The bell rings once for a message for the person, if it is on."""
        now = [HELD]
        display = TextDisplay(self.lines.append, unix_time=lambda: now[0])
        mention = said("hello Alice\nhow are you?")
        display.message(mention, "alice")
        display.bell.is_on = True
        display.message(said("hello"), "alice")
        display.message(mention, "alice", is_earlier=True)
        self.assertNotIn("\a", "".join(self.lines))
        self.lines.clear()
        for later_s in (0, 0.9, 0.1):
            now[0] += later_s
            display.message(mention, "alice")
        first, rest = "bob: hello Alice", "  how are you?"
        self.assertEqual(self.lines, [f"\a{first}", rest, first, rest, f"\a{first}", rest])
        self.lines.clear()
        now[0] += 1
        display.message(mention, "alice", is_repeated=True)
        self.assertEqual(self.lines, [first, rest])

    def test_date_of_a_message(self):
        """The display can show a message with its date, unless it is of today."""
        display = TextDisplay(self.lines.append, with_time=True, unix_time=lambda: HELD)
        day_before = HELD - 86_400
        for when in (HELD, day_before, 1e300):
            display.message(said("hello", time=when), is_earlier=True, with_date=True)
        clock = time.strftime("%H:%M", time.localtime(HELD))
        date = time.strftime("%Y-%m-%d %H:%M", time.localtime(day_before))
        dates = [clock, date, "an unknown date"]
        self.assertEqual(self.lines, [f"{each} | bob: hello" for each in dates])

    def test_time_of_a_note(self):
        """With the time, a note begins with the current time."""
        display = TextDisplay(self.lines.append, with_time=True, unix_time=lambda: HELD)
        display.note("so it is")
        clock = time.strftime("%H:%M", time.localtime(HELD))
        self.assertEqual(self.lines, [f"{clock} * so it is"])

    def test_welcome_to_rooms(self):
        """A welcome has all its rooms, or no room."""
        for rooms in ([], [{"room": "lobby"}], [{"room": "lobby"}, {"room": "{0}"}]):
            self.display.event({"event": "welcome", "name": "al", "room": None, "rooms": rooms})
        self.assertEqual(
            self.lines, ["* you are al", "* you are al, in lobby", "* you are al, in lobby, {0}"]
        )

    def test_direct_messages(self):
        """A direct message shows sender and receiver, with `you` for the person here."""
        for sender, to in (("bob", "alice"), ("Alice", "bob"), ("alice", "alice")):
            self.display.message(said("psst", sender=sender, room=None, to=to), "alice")
        self.display.message(said("psst", room=None, to="carol"))
        self.assertEqual(
            self.lines,
            ["bob → you: psst", "you → bob: psst", "you → you: psst", "bob → carol: psst"],
        )

    def test_earlier(self):
        """Each line of an earlier message is marked, and does not repeat the room."""
        display = TextDisplay(self.lines.append, with_rooms=lambda: True)
        display.message(said("one\ntwo"), is_earlier=True)
        self.assertEqual(self.lines, ["| bob: one", "|   two"])


class NarrowTests(SynchronousTestCase):
    def setUp(self):
        self.lines: list[str] = []
        self.display = TextDisplay(
            self.lines.append,
            with_time=True,
            ink=Ink("31"),
            columns=lambda: 22,
            unix_time=lambda: HELD,
        )
        self.clock = time.strftime("%H:%M", time.localtime(HELD))

    def test_message(self):
        """A long line breaks between words, and goes on under the text."""
        self.display.message(said("one two three\n four five six seven", time=HELD))
        self.assertEqual(
            self.lines,
            [
                f"{self.clock} \x1b[31mbob\x1b[39m: one two",
                "           three",
                f"{self.clock}    four five six",
                "         seven",
            ],
        )

    def test_for_you(self):
        """Each line of a message that is meant for the person is bold, without its time."""
        self.display.message(said("alice: it is tea", time=HELD), "alice")
        self.assertEqual(
            self.lines,
            [
                f"{self.clock} \x1b[1m\x1b[31mbob\x1b[39m: alice: it\x1b[22m",
                "      \x1b[1m     is tea\x1b[22m",
            ],
        )

    def test_earlier(self):
        """Each line of an earlier message is dimmed."""
        self.display.message(said("it is tea", sender="al", time=HELD), is_earlier=True)
        self.display.message(said("/me had a tea", sender="al", time=HELD), is_earlier=True)
        begin = f"\x1b[2m{self.clock} |"
        self.assertEqual(self.lines[0], f"{begin} al: it is tea\x1b[0m")
        self.assertEqual(self.lines[1:], [f"{begin} ** al had a\x1b[0m", "\x1b[2m      tea\x1b[0m"])

    def test_note(self):
        """A long note goes on under its text; so does an entry of a list."""
        self.display.note("there are two rooms")
        self.display.note("  ops, which is busy")
        self.assertEqual(
            self.lines,
            [
                f"{self.clock} * there are two",
                "        rooms",
                f"{self.clock} *   ops, which",
                "          is busy",
            ],
        )

    def test_long_name(self):
        """Under a long name, the text goes on under the name."""
        self.display.message(said("one two", sender="b" * 10, time=HELD))
        self.assertEqual(self.lines[1:], ["      two"])


class RoomsTests(SynchronousTestCase):
    def setUp(self):
        self.lines: list[Any] = []
        self.rooms = 2
        self.display = TextDisplay(self.lines.append, with_rooms=lambda: self.rooms > 1)

    def test_several(self):
        """In several rooms, each line names its room."""
        self.display.message(said("one\ntwo", room="ops"))
        self.display.message(said("psst", room=None, to="carol"))
        for event in (
            {"event": "joined", "name": "bob", "room": "ops"},
            {"event": "left", "name": "bob", "room": "ops"},
            {"event": "topic", "name": "bob", "room": "ops", "topic": "tea"},
            {"event": "topic", "name": "bob", "room": "ops", "topic": ""},
            {"event": "renamed", "name": "robert", "old_name": "bob"},
        ):
            self.display.event(event)
        self.assertEqual(
            self.lines,
            [
                "[ops] bob: one",
                "  two",
                "bob → carol: psst",
                "* bob joined ops",
                "* bob left ops",
                "* bob set the topic of ops: tea",
                "* bob cleared the topic of ops",
                "* bob is now called robert",
            ],
        )

    def test_fewer_later(self):
        """That depends on the rooms at the time of showing."""
        self.rooms = 1
        self.display.message(said("one", room="ops"))
        self.rooms = 2
        self.display.message(said("two", room="ops"))
        self.assertEqual(self.lines, ["bob: one", "[ops] bob: two"])


class ColourTests(SynchronousTestCase):
    def setUp(self):
        self.lines: list[Any] = []
        self.display = TextDisplay(self.lines.append, with_rooms=lambda: True, ink=Ink("31"))

    def test_names(self):
        """Only the sender's name is coloured; `you` is not a name."""
        self.display.message(said("hello bob", room="ops"))
        self.display.message(said("psst", room=None, to="alice"), "alice")
        self.assertEqual(
            self.lines,
            [
                "[ops] \x1b[31mbob\x1b[39m: hello bob",
                "\x1b[1m\x1b[31mbob\x1b[39m → you: psst\x1b[22m",
            ],
        )

    def test_for_you(self):
        """The display makes each line of a message for the person bold, and no other message."""
        self.display.message(said("hello alice\ntea?"), "alice")
        self.display.message(said("hello", sender="alice", room=None, to="bob"), "alice")
        self.assertEqual(
            self.lines,
            [
                "\x1b[1m[lobby] \x1b[31mbob\x1b[39m: hello alice\x1b[22m",
                "\x1b[1m  tea?\x1b[22m",
                "you → \x1b[31mbob\x1b[39m: hello",
            ],
        )

    def test_earlier(self):
        """An earlier message is dimmed as a whole, and its names are not coloured."""
        self.display.message(said("hello"), is_earlier=True)
        self.assertEqual(self.lines, ["\x1b[2m| bob: hello\x1b[0m"])

    @given(st.text(max_size=100), st.text(max_size=40), st.text(max_size=40), st.booleans())
    def test_any_names(self, text, sender, place, is_direct):
        """For any sender and receiver, the display shows no control characters but colours."""
        lines: list[Any] = []
        display = TextDisplay(lines.append, with_rooms=lambda: True, ink=Ink("31"))
        where = {"room": None, "to": place} if is_direct else {"room": place}
        message = said(text.encode("utf-8", "replace"), sender=sender, **where)
        display.message(message)
        display.message(message, is_earlier=True)
        for line in lines:
            text_only = re.sub("\x1b\\[(31|39|2|0)m", "", line)
            self.assertTrue(HARMLESS.sub("", text_only).isprintable(), repr(line))

    @given(st.text(max_size=100), st.text(max_size=40))
    def test_any_text(self, text, sender):
        """For any text and name, the display shows only text, tabs and joiners."""
        lines: list[Any] = []
        display = TextDisplay(lines.append)
        display.message(said(text.encode("utf-8", "replace"), sender=sender))
        display.event({"event": "joined", "name": sender})
        self.assertGreaterEqual(len(lines), 2)
        for line in lines:
            self.assertTrue(HARMLESS.sub("", line).isprintable(), repr(line))
