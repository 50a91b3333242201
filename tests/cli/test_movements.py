"""People who join or leave several rooms at the same time."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.display import TextDisplay


class MovementsTests(SynchronousTestCase):
    def setUp(self):
        self.lines: list[str] = []
        self.calls: list[Any] = []
        self.display = TextDisplay(self.lines.append, with_rooms=lambda: self.several)
        self.several = True
        self.display.gather(self.calls.append)

    def move(self, event, *rooms, name="carol", **fields):
        for room in rooms:
            self.display.event({"event": event, "room": room, "name": name, **fields})

    def end_turn(self):
        while self.calls:
            self.calls.pop(0)()
        lines, self.lines[:] = [*self.lines], []
        return lines

    def test_several(self):
        """One line names the rooms that a person joins in a turn, and counts those beyond three."""
        for rooms, words in (
            (["lobby"], "lobby"),
            (["lobby", "ops"], "lobby and ops"),
            (["lobby", "ops", "tea", "a"], "lobby, ops, tea and a"),
            (["lobby", "ops", "tea", "a", "b", "c", "d"], "lobby, ops, tea and 4 more"),
        ):
            self.move("joined", *rooms)
            self.assertEqual(self.end_turn(), [f"* carol joined {words}"])

    def test_kick(self):
        """So does the line about a person who was removed, with the reason."""
        self.move("left", "lobby", "ops", by="dave", reason="enough")
        line = "* carol was removed from lobby and ops by dave: enough"
        self.assertEqual(self.end_turn(), [line])

    def test_others(self):
        """Another person, another reason or another turn has a line of its own."""
        self.move("joined", "lobby", "ops")
        self.move("joined", "lobby", name="erin")
        self.move("left", "lobby", name="erin")
        self.move("left", "ops", name="erin", by="dave")
        lines = ["* carol joined lobby and ops", "* erin joined lobby", "* erin left lobby"]
        self.assertEqual(self.end_turn(), [*lines, "* erin was removed from ops by dave"])
        self.move("joined", "tea")
        self.assertEqual(self.end_turn(), ["* carol joined tea"])

    def test_order(self):
        """The line stands before what comes after it in the same turn."""
        self.move("left", "lobby", "ops")
        self.display.note("a note")
        self.move("joined", "lobby")
        self.assertEqual(self.lines, ["* carol left lobby and ops", "* a note"])
        self.display.flush()
        self.assertEqual(self.end_turn()[2:], ["* carol joined lobby"])

    def test_one_room(self):
        """A person in one room sees no names of rooms."""
        self.several = False
        self.move("joined", "lobby")
        self.assertEqual(self.end_turn(), ["* carol joined"])

    def test_odd_room(self):
        """An event without a room is shown at once."""
        self.move("joined", None, "", 5)
        self.assertEqual(len(self.lines), 3)
