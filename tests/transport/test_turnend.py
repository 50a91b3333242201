"""Tests of `chatd.transport.turnend`."""

from __future__ import annotations

import re

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.transport.turnend import TurnEnd, _Due

ENDS = "the turn ends, or SCHEDULED"


class TableTests(SynchronousTestCase):
    """The states of the table in the docstring of `TurnEnd`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.ends = 0
        self.reader = object()

    def note_end(self) -> None:
        """End the turn."""
        self.ends += 1
        self.end.reached()

    def bring_to(self, state: str) -> None:
        """Make a turn's end, and bring it to a state; the reader was read last."""
        self.end = TurnEnd(self.clock, self.note_end)
        self.end.end_read(self.reader)
        if state in ("NOT_YET", "AFTER_WORK"):
            self.end.hold()
        if state in ("AFTER_WORK", "SCHEDULED"):
            self.end.ask()
        self.ends = 0
        self.assertEqual(self.state, state)

    @property
    def state(self) -> str:
        """The present state."""
        return self.end._due.name

    def test_table(self) -> None:
        """Each call leads to the state in the table."""
        lines = (TurnEnd.__doc__ or "").splitlines()
        rows = [re.split(r"  +", line.strip()) for line in lines if re.match(r" *``\w+``  ", line)]
        self.assertEqual([row[0].strip("`") for row in rows], [state.name for state in _Due])
        for name, *cells in rows:
            before = name.strip("`")
            calls = (self.end_ask, self.end_hold, self.end_read)
            for call, cell in zip(calls, cells, strict=True):
                self.bring_to(before)
                call(self.reader)
                after, ends = {"stays": (before, 0), ENDS: ("NO", 1)}.get(cell, (cell, 0))
                self.assertEqual((self.state, self.ends), (after, ends))
                if cell == ENDS:
                    self.bring_to(before)
                    call(object())
                    self.assertEqual((self.state, self.ends), ("SCHEDULED", 0))

    def test_reached(self) -> None:
        """A turn that ended early does not end again, whatever its state and whoever is read."""
        for state in _Due:
            for reader in (self.reader, object()):
                self.bring_to(state.name)
                self.end.reached()
                self.end.end_read(reader)
                self.assertEqual((self.state, self.ends), ("NO", 0))
                self.assertEqual(self.clock.getDelayedCalls(), [])

    def end_ask(self, _: object) -> None:
        self.end.ask()

    def end_hold(self, _: object) -> None:
        self.end.hold()

    def end_read(self, reader: object) -> None:
        self.end.end_read(reader)


class TurnEndTests(SynchronousTestCase):
    """The end comes after a read, or by a call of the reactor, but only if it was asked for."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.ends = 0
        self.end = TurnEnd(self.clock, self.note_end)
        self.ann, self.bob = object(), object()

    def note_end(self) -> None:
        """End the turn."""
        self.ends += 1
        self.end.hold()
        self.end.reached()

    def read(self, reader: object, *, asks: bool = True) -> None:
        """Read a protocol."""
        self.end.hold()
        if asks:
            self.end.ask()
        self.end.end_read(reader)

    def assert_ends(self, now: int, later: int) -> None:
        """Assert how many ends there were, and how many more the reactor's turn brings."""
        self.assertEqual((self.ends, len(self.clock.getDelayedCalls())), (now, later))
        self.clock.advance(0)
        self.assertEqual(self.ends, now + later)

    def test_call(self) -> None:
        """However often it is asked for outside of reads, the end comes once, by a call."""
        for _ in range(3):
            self.end.ask()
        self.assert_ends(0, 1)
        self.end.ask()
        self.assert_ends(1, 1)

    def test_same_reader(self) -> None:
        """The second read of a protocol in a row is the end of the turn."""
        self.read(self.ann)
        self.assert_ends(0, 1)
        self.read(self.ann)
        self.read(self.ann)
        self.assert_ends(3, 0)

    def test_other_reader(self) -> None:
        """The read of another protocol is not the end; the call comes for both."""
        for reader in (self.ann, self.bob, self.ann):
            self.read(reader)
        self.assert_ends(0, 1)

    def test_scheduled(self) -> None:
        """If the call is scheduled, a read of the same protocol is not the end."""
        self.read(self.ann, asks=False)
        self.end.ask()
        self.read(self.ann)
        self.assert_ends(0, 1)

    def test_ended_early(self) -> None:
        """If the turn ends in the middle of a read, the call is cancelled."""
        self.end.ask()
        self.end.hold()
        self.note_end()
        self.end.end_read(self.ann)
        self.assert_ends(1, 0)

    def test_not_asked(self) -> None:
        """Without being asked for, the end does not come; later it comes by a call."""
        for _ in range(2):
            self.read(self.ann, asks=False)
        self.assert_ends(0, 0)
        self.end.ask()
        self.assert_ends(0, 1)

    def test_asked_after_the_end(self) -> None:
        """What asks after an end in the middle of a read gets another end."""
        self.end.hold()
        self.end.ask()
        self.note_end()
        self.end.ask()
        self.end.end_read(self.ann)
        self.assert_ends(1, 1)
