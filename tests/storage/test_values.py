"""The values that go into a store and come out of it."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import ConfigurationError, RequestError
from chatd.storage.values import (
    Head,
    Retention,
    Stored,
    StreamPosition,
    place,
    repeat,
    resume_from,
)
from tests.storage.stores import entry


class RetentionTests(SynchronousTestCase):
    def test_keeps_something(self):
        """A retention that keeps nothing is refused; the smallest that keeps a message is not."""
        for bounds in ({"max_messages": 0}, {"max_age_s": 0}, {"max_bytes": -1}):
            error = self.assertRaises(ConfigurationError, Retention, **bounds)
            self.assertNotIn("\n", str(error))
        self.assertEqual(Retention(max_messages=1, max_age_s=1, max_bytes=0).max_bytes, 0)


class RepeatTests(SynchronousTestCase):
    def test_same(self):
        """The same content under the same id is the earlier message."""
        earlier = place(entry("1"), 7)
        self.assertEqual(repeat(entry("1"), earlier), Stored(earlier, False))

    def test_other(self):
        """Another content or content type under the same id is refused, with the id."""
        earlier = place(entry("1"), 7)
        for other in (entry("1", b"bye"), entry("1", content_type="text/html")):
            error = repeat(other, earlier)
            self.assertIsInstance(error, RequestError)
            self.assertEqual((error.code, error.ref), ("id-reused", "1"))


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
