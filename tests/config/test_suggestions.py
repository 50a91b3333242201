"""What a person probably meant by a mistyped name."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.config.suggestions import did_you_mean, listed, similar

NAMES = ("help", "history", "join", "who")


class SuggestionTests(SynchronousTestCase):
    """The similar names, and the question about them."""

    def test_shortened(self) -> None:
        """A shortened name is each name that begins with it, in alphabetical order."""
        for name, found in (("hist", ["history"]), ("H", ["help", "history"])):
            self.assertEqual(similar(name, NAMES), found)

    def test_mistyped(self) -> None:
        """A mistyped name is the name most like it, if there is a similar one."""
        for name, found in (
            ("hlep", ["help"]),
            ("JION", ["join"]),
            ("whom", ["who"]),
            ("smile", []),
            ("", []),
        ):
            self.assertEqual(similar(name, NAMES), found, name)

    def test_question(self) -> None:
        """The question names all; without similar names, there is none."""
        self.assertEqual(did_you_mean([]), "")
        self.assertEqual(did_you_mean(["/who"]), " (did you mean /who?)")
        self.assertEqual(did_you_mean(["a", "b"]), " (did you mean a or b?)")

    def test_listed(self) -> None:
        """Names are listed in words."""
        for names, words in ((["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")):
            self.assertEqual(listed(names), words)
