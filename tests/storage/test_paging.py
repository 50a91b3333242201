"""Pages of a stream; the contract of the stores tests the rest."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.storage.paging import fitting, resume_from
from chatd.storage.values import Head, StreamPosition
from chatd.wire.messages import Message


class ResumeFromTests(SynchronousTestCase):
    """A stream with the kept messages 4 to 9, under epoch e."""

    def resume(self, seq, epoch=None, id=None):
        head = Head(name="Lobby", epoch="e", seq=9, oldest=4, last_id="m9")
        return resume_from(head, StreamPosition(seq, epoch, id), lambda seq: f"m{seq}")

    def test_known(self):
        """A reader goes on after a position that the stream knows."""
        for position in ((9,), (6, "e"), (6, None, "m6"), (6, "e", "m6"), (3, "e")):
            self.assertEqual(self.resume(*position), (position[0], True))

    def test_gap(self):
        """If messages after the position are gone, the reader goes on, and the result says so."""
        for id in (None, "whatever"):
            self.assertEqual(self.resume(2, "e", id), (2, False))

    def test_unknown(self):
        """A read begins anew after a position of another epoch, a later place or another id."""
        for position in ((6, "f"), (10, "e"), (6, "e", "other")):
            self.assertEqual(self.resume(*position), (0, False))


class FittingTests(SynchronousTestCase):
    """Messages of 3 bytes each."""

    def fit(self, count, max_bytes):
        return len(fitting((Message.chat("abc") for _ in range(count)), max_bytes))

    def test_bound(self):
        """As many messages as fit are taken, to the byte."""
        self.assertEqual([self.fit(5, bytes) for bytes in (5, 6, 8, 9, 100)], [1, 2, 2, 3, 5])

    def test_first(self):
        """The first message is taken whatever its size; without a message, there is none."""
        self.assertEqual(self.fit(5, 0), 1)
        self.assertEqual(self.fit(0, 100), 0)
