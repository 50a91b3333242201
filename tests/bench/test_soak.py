"""The soak counts the daemon's remaining objects, and notes the clients' messages."""

import socket

import pytest
from twisted.trial.unittest import SynchronousTestCase

from bench.counts import Counts
from bench.receipts import Ledger, Receipt
from bench.soak import Rest
from bench.soak_clients import SoakLine
from bench.soak_server import count_objects
from chatd.testing import MemoryServer
from chatd.wire.messages import ChatHeader, Error, Message, MessageType

EMPTY = Counts(
    timers=1, loops=1, readers=3, sessions=0, protocols=0, rooms=0, deferreds=2, objects=50_000
)


def rest(descriptors=16, **more):
    """Return a daemon's remaining objects and memory."""
    fields = {name: getattr(EMPTY, name) for name in Counts.__struct_fields__}
    return Rest(Counts(**{**fields, **more}), descriptors, 0, 0)


class RestTests(SynchronousTestCase):
    def test_nothing_is_left(self):
        """A count at the base, or below it, is no growth."""
        self.assertFalse(any(rest().beyond(rest()).values()))
        self.assertFalse(any(rest(descriptors=15, timers=0).beyond(rest()).values()))

    def test_what_is_left(self):
        """The soak counts growth by kind, except for objects."""
        left = rest(descriptors=18, timers=2, sessions=3, objects=90_000).beyond(rest())
        self.assertEqual(
            {what: count for what, count in left.items() if count},
            {"descriptors": 2, "timers": 1, "sessions": 3},
        )


class CountTests(SynchronousTestCase):
    def test_counts(self):
        """The soak counts sessions, their connections and their rooms while they exist."""
        server = MemoryServer()
        before = count_objects(server.factory)
        client = server.connect("alice")
        during = count_objects(server.factory)
        client.disconnect()
        server.pump()
        after = count_objects(server.factory)
        self.assertEqual([each.sessions for each in (before, during, after)], [0, 1, 0])
        self.assertEqual([each.rooms for each in (before, during, after)], [0, 1, 0])
        self.assertEqual([each.protocols for each in (before, during)], [0, 1])


class SoakLineTests(SynchronousTestCase):
    def setUp(self):
        self.link, self.far = socket.socketpair()
        self.addCleanup(self.link.close)
        self.addCleanup(self.far.close)
        self.ledger = Ledger()
        self.waiting = {id: Message.chat("", id=id, room="#r0") for id in ("1", "2")}
        self.line = SoakLine(
            self.link, "v1", "#r0", key=None, ledger=self.ledger, waiting=self.waiting
        )

    def hear(self, id, sender):
        """Receive a message."""
        header = ChatHeader(id=id, room="#r0", sender=sender, seq=7)
        self.line.event_received(Message(MessageType.MESSAGE, header))

    def test_receipt(self):
        """The ledger notes the receipt of an own waiting message, once."""
        for _ in range(2):
            self.hear("1", "v1")
        self.assertEqual(self.ledger.receipts, [Receipt("#r0", 7, "1")])
        self.assertEqual(list(self.waiting), ["2"])

    def test_of_others(self):
        """Another client's message with the same id is not a receipt."""
        self.hear("1", "v2")
        self.assertEqual(self.ledger.receipts, [])
        self.assertEqual(list(self.waiting), ["1", "2"])

    def test_refused(self):
        """The ledger counts a refused message, which no longer waits; so with a command."""
        for ref in ("2", "c1"):
            error = Error(code="not-stored", ref=ref)
            self.line.event_received(Message(MessageType.ERROR, error))
        self.assertEqual(self.ledger.refusals["not-stored"], 2)
        self.assertEqual(list(self.waiting), ["1"])
        self.assertEqual(self.line.results["c1"], {})

    def test_result(self):
        """The ledger keeps a RESULT under its command's id."""
        self.line.event_received(Message(MessageType.RESULT, {"id": "c1", "count": 3}))
        self.assertEqual(self.line.results["c1"]["count"], 3)

    def test_hung_up(self):
        """A wait fails when the connection is closed."""
        self.far.close()
        with pytest.raises(ConnectionError):
            self.line.read_until_true(lambda: False)
