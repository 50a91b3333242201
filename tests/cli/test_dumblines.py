"""Lines at a terminal that cannot redraw the typed line."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.dumblines import DumbLines, TypedLine


class DumbLinesTests(SynchronousTestCase):
    def show(self, *lines, typed):
        """Show lines at once, and return all that is written."""
        written: list[str] = []
        calls: list[Any] = []
        dumb_lines = DumbLines(written.append, lambda: typed, calls.append)
        for line in lines:
            dumb_lines.show(line)
        self.assertEqual((written, len(calls)), ([], 1))
        calls[0]()
        dumb_lines.flush()
        (text,) = written
        return text

    def test_typed(self):
        """Lines get lines of their own, and the typed line is written again after them."""
        self.assertEqual(
            self.show("bob: one", "bob: two", typed=TypedLine("ops> ", "hel\nlo")),
            "\r\nbob: one\r\nbob: two\r\nops> hel\r\nlo",
        )

    def test_nothing_typed(self):
        """They take the place of an empty prompt, and cover all of it."""
        self.assertEqual(self.show("bob: one", typed=TypedLine("> ", "")), "\rbob: one\r\n> ")
        self.assertEqual(
            self.show("* a", "* b", typed=TypedLine("long> ", "")), "\r* a   \r\n* b\r\nlong> "
        )

    def test_no_prompt(self):
        """Between two prompts, there is nothing to write again."""
        self.assertEqual(self.show("bob: one", typed=None), "bob: one\r\n")
