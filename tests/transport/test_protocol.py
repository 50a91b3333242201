"""Tests of moving bytes: events have their effects in order, and frames go out at once."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from chatd.transport.outbuffer import SLICE
from chatd.wire.messages import Message, MessageType
from tests.fakes.peers import pong
from tests.transport.cases import ProtocolCase


class ReadingTests(ProtocolCase):
    """Received bytes have their effects in order."""

    def setUp(self) -> None:
        super().setUp()
        self.establish()

    def test_many_in_one_piece(self) -> None:
        """All messages of one read have their effects."""
        self.peer.say("one", "two", "three")
        self.assertEqual(self.protocol.texts, ["one", "two", "three"])

    def test_byte_by_byte(self) -> None:
        """A message that arrives byte by byte has its effect when it is complete."""
        data = self.peer.codec.encode(Message.chat("one")) * 2
        for position in range(len(data)):
            self.protocol.dataReceived(data[position : position + 1])
        self.assertEqual(self.protocol.texts, ["one", "one"])

    def test_work_pauses_the_reading(self) -> None:
        """During work on a message, the next message waits, and reading is paused."""
        work: Deferred[None] = Deferred()
        self.protocol.works = [work]
        self.peer.say("one", "two")
        self.assertEqual(self.protocol.texts, ["one"])
        self.assertFalse(self.transport.is_reading)
        self.peer.say("three")  # it was already on its way
        self.assertEqual(self.protocol.texts, ["one"])
        work.callback(None)
        self.assertTrue(self.transport.is_reading)
        self.assertEqual(self.protocol.texts, ["one", "two", "three"])

    def test_work_after_work(self) -> None:
        """Each message waits for the message before it."""
        works: list[Deferred[None]] = [Deferred(), Deferred()]
        self.protocol.works = list(works)
        self.peer.say("one", "two", "three")
        works[0].callback(None)
        self.assertEqual(self.protocol.texts, ["one", "two"])
        self.assertFalse(self.transport.is_reading)
        works[1].callback(None)
        self.assertEqual(self.protocol.texts, ["one", "two", "three"])
        self.assertTrue(self.transport.is_reading)

    def test_session_ends_during_work(self) -> None:
        """If a session ends during work, it drops its waiting and later messages."""
        work: Deferred[None] = Deferred()
        self.protocol.works = [work]
        self.peer.say("one", "two")
        self.protocol.end_session("goodbye", "enough")
        self.end_turn()
        self.assertTrue(self.transport.is_reading)
        work.callback(None)
        self.peer.say("three")
        self.assertEqual(self.protocol.texts, ["one"])
        self.assertEqual(self.end_codes(), ["goodbye"])

    def test_connection_lost_during_work(self) -> None:
        """A connection that is lost during work ends the session at once."""
        work: Deferred[None] = Deferred()
        self.protocol.works = [work]
        self.peer.say("one", "two")
        self.transport.lose()
        self.assertEqual(self.end_codes(), ["connection-lost"])
        work.callback(None)
        self.assertEqual(self.protocol.texts, ["one"])
        self.assertFalse(self.transport.is_reading)

    def test_silence_during_work(self) -> None:
        """A session does not end for the peer's silence while reading is paused."""
        work: Deferred[None] = Deferred()
        self.protocol.works = [work]
        self.peer.say("one")
        for _ in range(10):
            self.clock.advance(5)
            self.protocol.tick(self.clock.seconds())
        self.assertEqual(self.end_codes(), [])
        work.callback(None)
        for _ in range(4):
            self.clock.advance(5)
            self.protocol.tick(self.clock.seconds())
        self.assertEqual(self.end_codes(), ["heartbeat-timeout"])


class WritingTests(ProtocolCase):
    """Frames go out at the end of the turn, in one piece."""

    def test_greeting_comes_at_once(self) -> None:
        """The protocol writes the greeting at once."""
        (greeting,) = self.peer.take()
        self.assertEqual(greeting.type, MessageType.SESSION_INIT)

    def test_no_delay(self) -> None:
        """Nagle's algorithm is switched off for a socket."""
        self.assertTrue(self.transport.is_without_delay)

    def test_one_write_a_turn(self) -> None:
        """Any number of frames in a turn goes out in one write."""
        self.establish()
        for text in ("one", "two", "three"):
            self.deliver(text)
        self.assertEqual(self.peer.count_writes(), 0)
        self.end_turn()
        self.assertEqual(self.peer.count_writes(), 1)
        self.assertEqual(self.peer.take_texts(), ["one", "two", "three"])

    def test_nothing_to_write(self) -> None:
        """A turn with a received message and no frame to send writes nothing."""
        self.establish()
        self.peer.send(pong(1))
        self.end_turn()
        self.assertEqual(self.peer.count_writes(), 0)

    def test_held_back_while_the_peer_does_not_read(self) -> None:
        """The protocol writes frames from before the transport has room together."""
        self.establish()
        self.transport.accept_no_more()
        for text in ("one", "two"):
            self.deliver(text)
            self.end_turn()
        self.assertEqual(self.peer.count_writes(), 0)
        self.transport.accept_again()
        self.end_turn()
        self.assertEqual(self.peer.count_writes(), 1)
        self.assertEqual(self.peer.take_texts(), ["one", "two"])

    def test_transport_that_is_gone(self) -> None:
        """The protocol writes nothing to a transport that asked to stop."""
        self.establish()
        self.protocol.stopProducing()
        self.deliver("one")
        self.end_turn()
        self.assertEqual(self.peer.count_writes(), 0)

    def test_delivered_after_the_end(self) -> None:
        """The protocol drops frames for a session that has ended."""
        self.establish()
        self.protocol.end_session("goodbye", "enough")
        self.deliver("one")
        self.end_turn()
        self.assertEqual([message.type for message in self.peer.take()], [MessageType.DISCONNECT])

    def test_delivered_before_the_welcome(self) -> None:
        """The protocol drops frames for a session that is not established."""
        self.peer.take()
        self.deliver("one")
        self.end_turn()
        self.assertEqual(self.peer.take(), [])


class LargeTests(ProtocolCase):
    """Many bytes go out in more than one turn."""

    max_pending = None

    def end_turn(self) -> None:
        """Make the calls that are due; the calls that they schedule belong to the next turn."""
        calls: list[Any] = [*self.clock.getDelayedCalls()]
        for call in calls:
            if call.getTime() <= self.clock.seconds():
                self.clock.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)

    def test_a_slice_for_each_turn(self) -> None:
        """A peer that reads gets a slice each turn, then later frames, then the end."""
        self.establish()
        before = len(self.transport.writes)
        large = self.peer.codec.encode(Message.chat(bytes(2 * SLICE), id="large"))
        self.protocol.deliver(large)
        self.deliver("small")
        for turn in (1, 2, 3):
            self.end_turn()
            self.assertEqual(len(self.transport.writes) - before, turn)
        self.deliver("then")
        self.end_turn()
        self.protocol.deliver(large)
        self.protocol.end_session("goodbye", "done")
        for _ in range(6):
            self.end_turn()
        self.assertEqual(self.transport.ends, ["half-close"])
        told = self.peer.take()
        ids = [message.id for message in told if message.type == MessageType.MESSAGE]
        self.assertEqual(ids, ["large", "id", "id", "large"])
        self.assertEqual(told[-1].type, MessageType.DISCONNECT)

    def test_lost_meanwhile(self) -> None:
        """The protocol writes no more to a lost peer."""
        self.establish()
        before = len(self.transport.writes)
        self.protocol.deliver(self.peer.codec.encode(Message.chat(bytes(4 * SLICE))))
        self.end_turn()
        self.transport.lose()
        self.end_turn()
        self.assertEqual(len(self.transport.writes) - before, 1)
