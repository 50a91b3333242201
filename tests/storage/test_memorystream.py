"""A stream of the store in memory."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.storage.memorystream import MESSAGE_BYTES, MemoryStream, Total
from chatd.storage.values import Retention
from chatd.wire.messages import DEFAULT_CONTENT_TYPE
from tests.storage.stores import NOW, entry


class MemoryStreamTests(SynchronousTestCase):
    def setUp(self):
        self.total = Total()
        self.stream = MemoryStream("Lobby", self.total)

    def test_weight(self):
        """The weight of a message is its content, a fixed size, and its own content type."""
        self.stream.append(entry("1", b"12345", content_type=DEFAULT_CONTENT_TYPE))
        self.assertEqual(self.stream.weight, 5 + MESSAGE_BYTES)
        self.stream.append(entry("2", b"", content_type="text/x-json"))
        self.assertEqual(self.stream.weight, 5 + MESSAGE_BYTES + 4 * 11 + MESSAGE_BYTES)

    def test_weight_of_what_is_dropped(self):
        """Dropped, trimmed or expired messages weigh nothing, and the total follows."""
        other = MemoryStream("Den", self.total)
        other.append(entry("1", b"1"))
        self.stream.append(entry("1", b"12345", content_type=DEFAULT_CONTENT_TYPE))
        for id, time in (("2", NOW), ("3", NOW + 5), ("4", NOW + 9)):
            self.stream.append(entry(id, b"12345", content_type="text/x-json", time=time))
        self.stream.drop(1)
        self.stream.expire(NOW + 1)
        self.assertEqual(list(self.stream.kept), [("ann", "3"), ("ann", "4")])
        self.stream.trim(Retention(max_messages=1))
        self.assertEqual(self.stream.head.oldest, 4)
        self.assertEqual(self.total.bytes, self.stream.weight + other.weight)
        self.stream.drop(1)
        self.assertEqual((self.stream.bytes, self.stream.weight), (0, 0))
        self.assertEqual(self.total.bytes, other.weight)

    def test_drop_none(self):
        """Dropping no message changes nothing."""
        self.stream.append(entry("1"))
        weight = self.stream.weight
        self.stream.drop(0)
        self.assertEqual((self.stream.weight, self.stream.head.oldest), (weight, 1))
