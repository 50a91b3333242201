"""Tests of `chatd.transport.turnend`."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.transport.turnend import TurnEnd


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

    def read(self, reader: object, *, asks: bool = True, is_full: bool = False) -> None:
        """Read a protocol."""
        self.end.hold()
        if asks:
            self.end.ask()
        self.end.end_read(reader, is_full=is_full)

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

    def test_full(self) -> None:
        """A turn that must not grow ends with the read, and the call is cancelled."""
        self.end.ask()
        self.read(self.ann, asks=False, is_full=True)
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
        self.end.end_read(self.ann, is_full=False)
        self.assert_ends(1, 1)
