"""The last shown message of each room."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.cli import marks
from chatd.cli.marks import Mark, Marks


class MarksTests(SynchronousTestCase):
    def test_after(self):
        """The messages after the last shown one were never shown, whatever the room's spelling."""
        shown = Marks({"ops": Mark("e", 3)})
        self.assertEqual(shown.after("Ops", "e", 5), 2)
        self.assertEqual(shown.after("ops", "e", 2), 0)

    def test_unknown(self):
        """Nothing is known to be new in another room, or in another epoch of the room."""
        shown = Marks({"ops": Mark("e", 3)})
        self.assertEqual((shown.after("lobby", "e", 5), shown.after("ops", "f", 5)), (0, 0))

    def test_shown(self):
        """A room goes on only, until another epoch begins."""
        shown = Marks()
        for epoch, seq in (("e", 3), ("e", 2), ("f", 1)):
            shown.shown("Ops", epoch, seq)
            expected = Mark("f", 1) if epoch == "f" else Mark("e", 3)
            self.assertEqual(shown.last, {"ops": expected})

    def test_many(self):
        """The room without a message for longest is forgotten first."""
        self.patch(marks, "_MAX_ROOMS", 2)
        shown = Marks({"a": Mark("e", 1), "b": Mark("e", 1)})
        shown.shown("a", "e", 2)
        shown.shown("c", "e", 1)
        self.assertEqual(list(shown.last), ["a", "c"])
