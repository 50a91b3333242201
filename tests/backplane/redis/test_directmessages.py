"""Direct messages of other nodes: told in order, also those that must be read."""

import struct

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.backplane.redis.directmessages import DirectMessages
from chatd.backplane.redis.packing import pack
from chatd.errors import StoreError
from chatd.storage.values import Head
from tests.backplane.redis.listeners import Notes
from tests.storage.stores import entry

ONE, OTHER = "direct ann bob", "direct ann cat"


def element(seq):
    """Return a message as it is kept."""
    _, kept = pack(entry(str(seq)))
    return struct.pack(">d", 1.5) + kept


def push_of(stream, first, last, *elements):
    """Return a push of messages, or of their places alone."""
    texts = (text.encode() for text in ("node", "e", stream))
    data = b"".join(struct.pack(">H", len(text)) + text for text in texts)
    data += struct.pack(">QQ", first, last)
    return data + b"".join(struct.pack(">I", len(each)) + each for each in elements)


class DirectMessagesTests(SynchronousTestCase):
    def setUp(self):
        self.notes = Notes()
        self.reads = []
        self.direct = DirectMessages(lambda: self.notes, self.fill)

    async def fill(self, stream, after):
        waiting: Deferred[tuple[Head, list[bytes]]] = Deferred()
        self.reads.append((stream, after, waiting))
        return await waiting

    def answer(self, *seqs, oldest=1, epoch="e"):
        """Answer the oldest read with the messages of these places."""
        head = Head(name="", epoch=epoch, seq=9, oldest=oldest)
        self.reads.pop(0)[2].callback((head, [element(seq) for seq in seqs]))

    def seqs(self):
        return [(message.id, message.seq) for message in self.notes.directs]

    def test_waits(self):
        """Pushes of a stream that is being read wait, also a second read; others do not."""
        self.direct.pushed(push_of(ONE, 1, 2))
        self.direct.pushed(push_of(ONE, 3, 3, element(3)))
        self.direct.pushed(push_of(ONE, 4, 4))
        self.direct.pushed(push_of(OTHER, 7, 7, element(7)))
        self.assertEqual(self.seqs(), [("7", 7)])
        self.answer(1)
        self.assertEqual(self.reads[0][:2], (ONE, 1))
        self.answer(2, 3)
        self.answer(4)
        self.assertEqual(self.seqs()[1:], [("1", 1), ("2", 2), ("3", 3), ("4", 4)])
        self.direct.pushed(push_of(ONE, 5, 5, element(5)))
        self.assertEqual(self.seqs()[-1], ("5", 5))

    def test_missed(self):
        """If messages cannot be read, both names hear that they may have missed some."""
        self.direct.pushed(push_of(ONE, 1, 1))
        self.direct.pushed(push_of(ONE, 2, 2, element(2)))
        self.direct.pushed(push_of(OTHER, 1, 1))
        self.reads.pop(0)[2].errback(StoreError("the link is lost"))
        self.answer(1)
        self.assertEqual(self.notes.missed_names, ["ann", "bob"])
        self.assertEqual(self.seqs(), [("2", 2), ("1", 1)])

    def test_missed_in_part(self):
        """If only the first of the announced messages can be read, the names hear that, too."""
        self.direct.pushed(push_of(ONE, 1, 2))
        self.answer(1)
        self.assertEqual(self.notes.missed_names, [])
        self.reads.pop(0)[2].errback(StoreError("the link is lost"))
        self.assertEqual(self.notes.missed_names, ["ann", "bob"])

    def test_left_out(self):
        """A record that is no message, or has another epoch, is left out; the others are told."""
        self.direct.pushed(push_of(ONE, 1, 1))
        self.direct.pushed(push_of(ONE, 2, 3, b"no message", element(3)))
        self.direct.pushed(push_of(ONE, 4, 4))
        self.direct.pushed(push_of(ONE, 5, 5, element(5)))
        with capturedLogs() as events:
            self.answer(1)
        (event,) = events
        self.assertIn("a direct message is left out: a record", formatEvent(event))
        self.answer(4, epoch="another")
        self.assertEqual(self.seqs(), [("1", 1), ("3", 3), ("5", 5)])
        self.assertEqual(self.notes.missed_names, [])

    def test_not_kept(self):
        """A message that is not kept any more is left out."""
        self.direct.pushed(push_of(ONE, 1, 2))
        self.answer(2, oldest=2)
        self.assertEqual(self.seqs(), [("2", 2)])

    def test_none_kept(self):
        """If none of the announced messages is kept, later messages wait for their own push."""
        self.direct.pushed(push_of(ONE, 1, 1))
        self.direct.pushed(push_of(ONE, 3, 3, element(3)))
        self.answer(3, 4, 5, oldest=3)
        self.assertEqual(self.seqs(), [("3", 3)])
