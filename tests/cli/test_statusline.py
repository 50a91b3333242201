"""The status line."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.places import Place, Unread
from chatd.cli.statusline import Standing, protection_of, status_line
from chatd.cli.widths import width_of

HERE: dict[str, Any] = {
    "endpoint": "tcp:localhost:9999",
    "protection": "encrypted",
    "is_connected": True,
    "place": (2, "ops"),
    "members": 3,
    "topic": "tea at four",
    "unread": [Unread(1, Place("lobby"), 4, False), Unread(3, Place(None, "bob"), 1, True)],
}


class StatusLineTests(SynchronousTestCase):
    def line(self, width=100, **fields):
        return status_line(Standing(**{**HERE, **fields}), width)

    def test_all(self):
        """With enough space, the line has every part."""
        self.assertEqual(
            self.line(),
            " 2:ops (3) | tea at four | new 1:lobby 4, 3:@bob 1! | tcp:localhost:9999, encrypted",
        )

    def test_little(self):
        """The line leaves out missing parts."""
        self.assertEqual(
            self.line(place=None, members=None, topic="", unread=()),
            " (no room) | tcp:localhost:9999, encrypted",
        )
        self.assertEqual(
            self.line(60, members=None, unread=(), place=(1, "@bob"), topic=""),
            " 1:@bob | tcp:localhost:9999, encrypted",
        )

    def test_away(self):
        """It reminds the person of being away, beside the place."""
        self.assertTrue(self.line(is_away=True).startswith(" 2:ops (3) | away | "))

    def test_very_long(self):
        """The line cuts a topic of any length without reading all of it."""
        line = self.line(40, topic="\u0301" * 1_000_000, unread=())
        self.assertLess(len(line), 400)

    def test_not_connected(self):
        """The line shows a lost connection as long as it has any space."""
        self.assertTrue(
            self.line(is_connected=False).endswith(" | not connected to tcp:localhost:9999")
        )
        self.assertEqual(self.line(30, is_connected=False), " 2:ops (3) | not connected")
        self.assertEqual(self.line(16, is_connected=False), " not connected")

    def test_narrow(self):
        """In a narrow window, the least important parts go first; the topic is cut."""
        for width, line in (
            (66, " 2:ops (3) | tea at four | new 1:lobby 4, 3:@bob 1! | encrypted"),
            (40, " 2:ops (3) | new 1,3! | encrypted"),
            (63, " 2:ops (3) | tea at fo… | new 1:lobby 4, 3:@bob 1! | encrypted"),
            (62, " 2:ops (3) | tea at four | new 1,3! | encrypted"),
            (24, " 2:ops (3) | new 1,3!"),
            (20, " 2:ops (3) | new 3!"),
            (16, " 2:ops | new 3!"),
            (15, " 2:ops (3)"),
            (6, " "),
        ):
            found = self.line(width)
            self.assertLessEqual(width_of(found), width, width)
            self.assertEqual(found, line, width)

    def test_own_name(self):
        """The person's name comes first, and stays as long as the unread messages fit."""
        self.assertTrue(self.line(name="alice").startswith(" alice | 2:ops (3) | "))
        for width, line in (
            (34, " alice | 2:ops (3) | new 1,3!"),
            (26, " alice | 2:ops | new 1,3!"),
            (24, " alice | 2:ops | new 3!"),
            (22, " alice | 2:ops (3)"),
            (12, " 2:ops (3)"),
        ):
            self.assertEqual(self.line(width, name="alice"), line, width)

    def test_many_unread(self):
        """However many places have unread messages, the place to read next is shown first."""
        unread = [Unread(n, Place(f"room{n}"), 1, n == 9) for n in range(2, 40)]
        for width, new in (
            (32, "9!"),
            (39, "9!,2,3,…"),
            (120, f"9!,2,3,4,5,6,7,8,{','.join(map(str, range(10, 22)))},…"),
        ):
            line = self.line(width, unread=unread, topic="")
            self.assertTrue(line.startswith(f" 2:ops (3) | new {new} | "), line)

    def test_topic_beside_many_unread(self):
        """Many unread places, with long names or not, leave the topic ten columns."""
        for names, topic, unread in (
            (["x" * 64] * 2, "tea at four and cake", "new 2,3!"),
            (["ops"] * 30, "tea at four and cake", "new 3!,2,4,5,6,7,8,9,10,11,12,…"),
            (["茶" * 20] * 2, "tea at four and cake", "new 2,3!"),
            (["茶" * 20] * 2, "茶は四時に、ケーキもあります", "new 2,3!"),
        ):
            places = [Unread(n, Place(name), 5, n == 3) for n, name in enumerate(names, 2)]
            line = self.line(80, name="alice", topic=topic, unread=places)
            parts = line.strip().split(" | ")
            self.assertEqual(parts[:2], ["alice", "2:ops (3)"])
            self.assertGreaterEqual(width_of(parts[2]), 9)
            self.assertTrue(topic.startswith(parts[2].rstrip("…")), line)
            self.assertEqual(parts[3:], [unread, "encrypted"])

    def test_topic_beside_messages_for_you(self):
        """The topic goes before a place with a message for the person is left out."""
        unread = [Unread(n, Place(f"room{n}"), 1, n in (3, 7, 11)) for n in range(3, 13)]
        for width, rest in (
            (70, "tea at fo… | new 3!,7!,11!,4,5,6,8,… | encrypted"),
            (63, "tea at four | new 3!,7!,11!,… | encrypted"),
            (60, "new 3!,7!,11!,4,5,6,8,9,… | encrypted"),
            (49, "new 3!,7!,11!,… | encrypted"),
        ):
            line = self.line(width, name="alice", unread=unread)
            self.assertEqual(line, f" alice | 2:ops (3) | {rest}", width)

    def test_short_topic_beside_many_unread(self):
        """A short topic takes no more space than it needs, and a missing topic takes none."""
        full = "new 1:lobby 4, 3:@bob 1!"
        self.assertIn(f" | tea | {full} | ", self.line(56, topic="tea"))
        self.assertIn(" | tea | new 1,3! | ", self.line(55, topic="tea"))
        self.assertIn(f" (3) | {full} | ", self.line(50, topic=""))

    def test_topic_while_away(self):
        """Being away and the protection of the connection have their space before the topic."""
        line = self.line(70, is_away=True, protection="not encrypted")
        self.assertEqual(line, " 2:ops (3) | away | tea at four | new 1,3! | not encrypted")

    def test_private(self):
        """A private room is marked, unless the window is too narrow."""
        self.assertTrue(self.line(is_private=True).startswith(" 2:ops (3, private) | "))
        self.assertTrue(self.line(is_private=True, members=None).startswith(" 2:ops (private) | "))
        self.assertEqual(self.line(16, is_private=True, unread=()), " 2:ops (3)")

    def test_waiting(self):
        """Messages that wait for the server are counted; that stays in a narrow window."""
        self.assertIn(" | 2 waiting | ", self.line(waiting=2))
        self.assertEqual(self.line(24, waiting=2, unread=()), " 2:ops (3) | 2 waiting")

    def test_long_name(self):
        """The line cuts the name of the current place before it leaves it out."""
        self.assertEqual(self.line(20, place=(1, "x" * 64)), f" 1:{'x' * 15}…")

    def test_long_name_in_a_narrow_window(self):
        """It cuts that name before it leaves out the person's name or unread messages."""
        for width, members, line in (
            (40, 3, f" alice | 1:{'x' * 18}… | new 3!"),
            (32, 3, f" alice | 1:{'x' * 10}… | new 3!"),
            (90, 3, f" alice | 1:{'x' * 30} (3) | new 1:lobby 4, 3:@bob 1! | encrypted"),
        ):
            found = self.line(width, name="alice", place=(1, "x" * 30), members=members, topic="")
            self.assertEqual(found, line)

    def test_controls(self):
        """Names and topics cannot control the terminal."""
        self.assertNotIn("\x1b", self.line(place=(1, "\x1b[2J"), topic="\x1b[31m"))

    @given(
        st.integers(0, 120),
        st.text(max_size=20),
        st.text(max_size=40),
        st.booleans(),
        st.integers(0, 5),
    )
    def test_any_width(self, width, title, topic, is_connected, unread):
        """The line always fits."""
        line = self.line(
            width,
            place=(1, title),
            topic=topic,
            is_connected=is_connected,
            unread=[Unread(each + 2, Place(title), 1, False) for each in range(unread)],
        )
        self.assertLessEqual(width_of(line), max(width, 1))

    def test_protection(self):
        """A key file or TLS encrypts; `ssl:` does not check the server."""
        self.assertEqual(protection_of("tcp:a:1", has_key=True), "encrypted")
        self.assertEqual(protection_of("tls:a:1", has_key=False), "encrypted")
        self.assertEqual(protection_of("ssl:a:1", has_key=False), "encrypted, server unknown")
        self.assertEqual(protection_of("unix:/a", has_key=False), "not encrypted")
