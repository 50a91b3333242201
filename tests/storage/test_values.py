"""The values that go into a store and come out of it."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import ConfigurationError, RequestError
from chatd.storage.values import Retention, Stored, place, repeat
from tests.storage.stores import entry


class RetentionTests(SynchronousTestCase):
    def test_keeps_something(self):
        """The store refuses a retention that keeps no message, and takes the smallest other."""
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
        """The error of another content or type under the same id has the id."""
        earlier = place(entry("1"), 7)
        for other in (entry("1", b"bye"), entry("1", content_type="text/html")):
            error = repeat(other, earlier)
            self.assertIsInstance(error, RequestError)
            self.assertEqual((error.code, error.ref), ("id-reused", "1"))
