"""Tests of reading typed lines."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.typed import action_in, command_in, is_path, message_in


class LineTests(SynchronousTestCase):
    def test_commands(self):
        """A command begins with one slash; its name ends at the first space or line end."""
        for line, command in (
            ("/who", ("who", "")),
            ("/Join  ops ", ("Join", "ops ")),
            ("/msg bob one\ntwo", ("msg", "bob one\ntwo")),
            ("/me\nwaves", ("me", "waves")),
            ("/join a/b", ("join", "a/b")),
            ("/", ("", "")),
            ("/ who", ("", "who")),
        ):
            self.assertEqual(command_in(line), command, line)
        self.assertEqual(command_in("/Join ops").name, "join")

    def test_messages(self):
        """Any other line is a message; a second slash at the beginning goes."""
        for line, text in (
            ("hello", "hello"),
            (" /who", " /who"),
            ("//who", "/who"),
            ("///etc/hosts", "//etc/hosts"),
            ("/etc/hosts is empty", "/etc/hosts is empty"),
            ("", ""),
        ):
            self.assertIsNone(command_in(line), line)
            self.assertEqual(message_in(line), text)

    def test_paths(self):
        """A first word with a second slash begins a path, except after two slashes."""
        self.assertTrue(is_path("/etc/hosts"))
        self.assertTrue(is_path("/usr/"))
        for line in ("/etc", "/join a/b", "//etc/hosts", "etc/hosts", "", "/", " /a/b"):
            self.assertFalse(is_path(line), line)

    def test_actions(self):
        """A message that begins with `/me ` is an action."""
        self.assertEqual(action_in("/me waves"), "waves")
        for text in ("/me", "/mean it", "hello /me waves", "/ME waves"):
            self.assertIsNone(action_in(text), text)

    @given(st.text(alphabet="/a \n\t", max_size=8))
    def test_any_line(self, line):
        """A line is either a command or a message; two slashes always make a message."""
        command = command_in(line)
        if command is None:
            self.assertTrue(line.endswith(message_in(line)))
        else:
            self.assertEqual(line[0], "/")
            self.assertNotIn("/", command.typed)
        self.assertIsNone(command_in(f"//{line}"))
        self.assertEqual(message_in(f"//{line}"), f"/{line}")
