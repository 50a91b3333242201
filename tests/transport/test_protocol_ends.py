"""Tests of the ends of a protocol: a peer that does not read, closing, and a slow handshake."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.connection.keepalive import SILENT_INTERVALS
from chatd.connection.limits import HANDSHAKE_TIMEOUT_S
from chatd.transport import protocol
from chatd.transport.closing import CLOSE_TIMEOUT_S
from chatd.wire.codec import Codec
from chatd.wire.messages import MessageType
from tests.fakes.peers import (
    GOODBYE,
    Peer,
    PipeTransport,
    SocketTransport,
    TerminalTransport,
    TlsTransport,
    ack,
)
from tests.transport.cases import MAX_PENDING, ProtocolCase, RecordingProtocol


class SlowConsumerTests(ProtocolCase):
    """The bytes that wait for a peer that does not read are limited."""

    def setUp(self) -> None:
        super().setUp()
        self.establish()
        self.transport.accept_no_more()

    def fill(self, count_bytes: int) -> None:
        """Deliver a number of bytes."""
        self.protocol.deliver(bytes(count_bytes))
        self.end_turn()

    def test_up_to_the_bound(self) -> None:
        """Bytes up to the limit may wait."""
        self.fill(MAX_PENDING)
        self.assertEqual(self.end_codes(), [])
        self.assertEqual(self.peer.count_writes(), 0)

    def test_over_the_bound(self) -> None:
        """Over the limit, the session ends, drops waiting bytes, and sends the reason."""
        self.fill(MAX_PENDING)
        self.fill(1)
        self.assertEqual(self.end_codes(), ["slow-consumer"])
        (end,) = self.peer.take()
        self.assertEqual(end.type, MessageType.DISCONNECT)
        self.assertEqual((end.header.code, end.header.retry), ("slow-consumer", True))
        self.assertEqual(self.transport.ends, ["half-close"])

    def test_cut_off(self) -> None:
        """The protocol cuts off a peer that does not read the reason either."""
        self.fill(MAX_PENDING + 1)
        self.clock.advance(CLOSE_TIMEOUT_S - 0.01)
        self.assertEqual(self.transport.ends, ["half-close"])
        self.clock.advance(0.01)
        self.assertEqual(self.transport.ends, ["half-close", "abort"])
        self.assertEqual((self.end_codes(), self.protocol.closed), (["slow-consumer"], 1))

    def test_reads_again_in_time(self) -> None:
        """A peer that reads again before the limit gets everything."""
        self.deliver("one")
        self.end_turn()
        self.transport.accept_again()
        self.end_turn()
        self.assertEqual(self.peer.take_texts(), ["one"])
        self.assertEqual(self.end_codes(), [])

    def test_ended_while_it_does_not_read(self) -> None:
        """The protocol sends the end after the waiting bytes, even to a peer that does not read."""
        self.deliver("one")
        self.protocol.end_session("goodbye", "enough")
        self.end_turn()
        self.assertEqual(
            [message.type for message in self.peer.take()],
            [MessageType.MESSAGE, MessageType.DISCONNECT],
        )


class SlowLineTests(ProtocolCase):
    """The system's buffers have bytes for the peer, with the pings behind them.

    Attributes:
        taken: How many of those bytes the peer has taken; None if none wait.
    """

    def setUp(self) -> None:
        super().setUp()
        self.establish()
        self.taken: int | None = 0
        self.asked = 0
        self.patch(protocol, "bytes_taken", self.bytes_taken)

    def bytes_taken(self, transport: object) -> int | None:
        self.assertIs(transport, self.transport)
        self.asked += 1
        return self.taken

    def tick(self, taken: int | None) -> None:
        """Let an interval pass in which the peer says nothing."""
        self.taken = taken
        self.clock.advance(5)
        self.protocol.tick(self.clock.seconds())
        self.end_turn()

    def test_reads(self) -> None:
        """A peer that takes bytes in each interval is alive, until it has taken all."""
        for interval in range(10):
            self.tick(interval)
        self.assertEqual(self.end_codes(), [])
        self.tick(None)
        self.tick(None)
        self.assertEqual(self.end_codes(), [])
        self.tick(None)
        self.assertEqual(self.end_codes(), ["heartbeat-timeout"])

    def test_reads_nothing(self) -> None:
        """A peer that takes no byte is silent, and so is a peer for which only pings wait."""
        for taken in ((5, 5, 5, 5), (5, None, 70, None), (-9, -74, -139, -204)):
            self.setUp()
            for each in taken:
                self.tick(each)
            self.assertEqual(self.end_codes(), ["heartbeat-timeout"])

    def test_asked_if_silent(self) -> None:
        """The system is asked about a silent peer only."""
        for _ in range(3):
            self.peer.say("one")
            self.tick(0)
        self.assertEqual(self.asked, 0)
        self.tick(0)
        self.assertEqual(self.asked, 1)

    def test_held_back(self) -> None:
        """A peer for which much is held back is cut off if it takes nothing, and only then."""
        self.transport.accept_no_more()
        work: Deferred[None] = Deferred()
        self.protocol.works = [work]
        self.peer.say("one")
        for interval in range(10):
            self.tick(interval)
        self.assertEqual(self.end_codes(), [])
        for _ in range(SILENT_INTERVALS + 1):
            self.tick(self.taken)
        self.assertEqual(self.end_codes(), ["slow-consumer"])


class UnboundedTests(ProtocolCase):
    """A protocol without a limit."""

    max_pending = None

    def test_no_limit(self) -> None:
        """Without a limit, any number of bytes may wait."""
        self.establish()
        self.transport.accept_no_more()
        self.protocol.deliver(bytes(100 * MAX_PENDING))
        self.end_turn()
        self.assertEqual(self.end_codes(), [])


class ClosingTests(ProtocolCase):
    """A session ends with a reason, a flush and a close."""

    def setUp(self) -> None:
        super().setUp()
        self.establish()

    def test_reason_then_half_close(self) -> None:
        """The protocol closes the sending half of a socket after the reason is written."""
        self.deliver("last words")
        self.protocol.end_session("goodbye", "enough", retry=True)
        self.end_turn()
        words, end = self.peer.take()
        self.assertEqual(words.text, "last words")
        self.assertEqual(
            (end.header.code, end.header.reason, end.header.retry), ("goodbye", "enough", True)
        )
        self.assertEqual(self.transport.ends, ["half-close"])
        self.assertEqual((self.end_codes(), self.protocol.closed), (["goodbye"], 0))

    def test_peer_closes_in_time(self) -> None:
        """The protocol does not cut off a peer that closes in time, and no timer remains."""
        self.protocol.end_session("goodbye", "enough")
        self.end_turn()
        self.transport.lose()
        self.assertEqual((self.end_codes(), self.protocol.closed), (["goodbye"], 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(2 * CLOSE_TIMEOUT_S)
        self.assertEqual(self.transport.ends, ["half-close"])

    def test_peer_does_not_close(self) -> None:
        """The protocol cuts off a peer that does not close in time."""
        self.protocol.end_session("goodbye", "enough")
        self.end_turn()
        self.clock.advance(CLOSE_TIMEOUT_S)
        self.assertEqual(self.transport.ends, ["half-close", "abort"])
        self.assertEqual((self.end_codes(), self.protocol.closed), (["goodbye"], 1))

    def test_ended_twice(self) -> None:
        """A second end changes nothing."""
        self.protocol.end_session("goodbye", "enough")
        self.protocol.end_session("other", "more than enough")
        self.end_turn()
        self.protocol.end_session("third", "far more than enough")
        self.end_turn()
        self.assertEqual([message.header.code for message in self.peer.take()], ["goodbye"])
        self.assertEqual((self.end_codes(), self.transport.ends), (["goodbye"], ["half-close"]))

    def test_peer_ends(self) -> None:
        """If the peer sends DISCONNECT, this side closes, and sends nothing."""
        self.peer.send(GOODBYE)
        self.end_turn()
        self.assertEqual((self.peer.take(), self.transport.ends), ([], ["half-close"]))
        self.assertEqual(self.end_codes(), ["goodbye"])

    def test_data_after_the_end(self) -> None:
        """The protocol reads and drops bytes that arrive after the end."""
        self.protocol.end_session("goodbye", "enough")
        self.end_turn()
        self.peer.say("too late")
        self.end_turn()
        self.assertEqual((self.protocol.texts, self.transport.ends), ([], ["half-close"]))

    def test_transport_does_not_ask_for_more_after_the_end(self) -> None:
        """After the end, the transport no longer calls the protocol as its producer."""
        self.protocol.end_session("goodbye", "enough")
        self.end_turn()
        self.peer.take()
        self.transport.accept_no_more()
        self.transport.accept_again()
        self.end_turn()
        self.assertEqual(self.peer.count_writes(), 0)

    def test_connection_lost(self) -> None:
        """A lost connection ends the session, once, and leaves no timer."""
        self.transport.lose(ConnectionLost())
        self.end_turn()
        self.assertEqual((self.end_codes(), self.protocol.closed), (["connection-lost"], 1))
        self.assertEqual((self.transport.ends, self.clock.getDelayedCalls()), ([], []))

    def test_connection_lost_before_the_flush(self) -> None:
        """A session that ends, and is cut off before the flush, keeps its own reason."""
        self.protocol.end_session("goodbye", "enough")
        self.transport.lose(ConnectionLost())
        self.end_turn()
        self.assertEqual((self.end_codes(), self.protocol.closed), (["goodbye"], 1))
        self.assertEqual((self.peer.take(), self.transport.ends), ([], []))

    def test_fault(self) -> None:
        """The protocol answers a fault in the bytes with an ERROR, and ends the session."""
        self.protocol.dataReceived(b"\xff" * 100)
        self.end_turn()
        self.assertEqual(
            [(message.type, message.header.code) for message in self.peer.take()],
            [(MessageType.ERROR, "too-large"), (MessageType.DISCONNECT, "too-large")],
        )
        self.assertEqual((self.end_codes(), self.transport.ends), (["too-large"], ["half-close"]))


class TlsClosingTests(ProtocolCase):
    """A session over TLS ends with the end of TLS."""

    transport_class = TlsTransport

    def test_whole_close(self) -> None:
        """TLS has no half-close: the protocol closes it, or aborts it without the peer's answer."""
        self.establish()
        self.protocol.end_session("goodbye", "enough")
        self.end_turn()
        self.assertEqual(self.transport.ends, ["close"])
        self.clock.advance(CLOSE_TIMEOUT_S)
        self.assertEqual(self.transport.ends, ["close", "abort"])


class PipeClosingTests(ProtocolCase):
    """A session over a transport that has only one way to close."""

    transport_class = PipeTransport

    def test_left_alone(self) -> None:
        """The protocol closes such a transport, and gives it up without the peer's answer."""
        self.establish()
        self.protocol.end_session("goodbye", "enough")
        self.end_turn()
        self.assertEqual((self.transport.ends, self.protocol.closed), (["close"], 0))
        self.clock.advance(CLOSE_TIMEOUT_S)
        self.assertEqual((self.transport.ends, self.protocol.closed), (["close"], 1))

    def test_lost_after_it_was_left_alone(self) -> None:
        """The program does not hear of the later end of a connection that was given up."""
        self.establish()
        self.protocol.end_session("goodbye", "enough")
        self.end_turn()
        self.clock.advance(CLOSE_TIMEOUT_S)
        self.transport.lose()
        self.assertEqual((self.end_codes(), self.protocol.closed), (["goodbye"], 1))


class TerminalClosingTests(PipeClosingTests):
    """A session over standard input and output ends like a session over a pipe."""

    transport_class = TerminalTransport


class HandshakeTimeoutTests(ProtocolCase):
    """The handshake has a time limit."""

    def test_too_slow(self) -> None:
        """A peer that is not established in time gets the reason, and the connection closes."""
        self.peer.take()
        self.clock.advance(HANDSHAKE_TIMEOUT_S - 0.01)
        self.assertEqual(self.peer.count_writes(), 0)
        self.clock.advance(0.01)
        (end,) = self.peer.take()
        self.assertEqual((end.header.code, end.header.retry), ("handshake-timeout", True))
        self.assertEqual(self.end_codes(), ["handshake-timeout"])
        self.clock.advance(CLOSE_TIMEOUT_S)
        self.assertEqual(self.transport.ends, ["half-close", "abort"])

    def test_in_time(self) -> None:
        """The time limit of the handshake does not apply to an established session."""
        self.establish()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lost_before_it_is_due(self) -> None:
        """A connection that is lost during the handshake leaves no timer."""
        self.transport.lose()
        self.end_turn()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.end_codes(), ["connection-lost"])


class FailingProtocol(RecordingProtocol):
    """A protocol whose methods fail if the test says so.

    Attributes:
        failing: The names of the methods that fail.
    """

    failing: tuple[str, ...] = ()

    def connectionMade(self) -> None:
        self.fail_in("connectionMade")
        super().connectionMade()

    def act_on(self, event):
        self.fail_in("act_on")
        return super().act_on(event)

    def flush(self) -> None:
        self.fail_in("flush")
        super().flush()

    def fail_in(self, name: str) -> None:
        if name in self.failing:
            raise KeyError(name)


class FailureTests(SynchronousTestCase):
    """A fault of this side ends the session, and closes the transport."""

    def connect(self, *failing: str, transport_class=SocketTransport) -> Peer:
        """Connect a protocol with some failing methods."""
        self.clock = Clock()
        self.protocol = FailingProtocol(self.clock)
        self.protocol.failing = failing
        self.peer = Peer(self.protocol, Codec(), transport_class)
        return self.peer

    def check_failed(self, count: int = 1) -> None:
        """Check that the protocol has ended, and that the log has the failure."""
        self.assertEqual([end.code for end in self.protocol.ends], ["internal-error"])
        self.assertEqual(self.protocol.closed, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), count)

    def test_cannot_begin(self) -> None:
        """The protocol cuts off a connection that cannot begin."""
        peer = self.connect("connectionMade")
        self.assertEqual(peer.transport.ends, ["abort"])
        self.check_failed()

    def test_cannot_begin_on_pipes(self) -> None:
        """Pipes cannot be cut off: they are closed, without waiting for their end."""
        peer = self.connect("connectionMade", transport_class=PipeTransport)
        self.assertEqual(peer.transport.ends, ["close"])
        peer.transport.lose()
        self.check_failed()

    def test_cannot_greet(self) -> None:
        """The protocol cuts off a connection whose greeting cannot be written."""
        peer = self.connect("flush")
        self.assertEqual(peer.transport.ends, ["abort"])
        self.check_failed()

    def test_cannot_act(self) -> None:
        """A failure to act on received bytes ends the session, and the peer gets the reason."""
        peer = self.connect()
        peer.take()
        self.protocol.failing = ("act_on",)
        peer.send(ack(peer, "alice"))
        self.clock.advance(0)
        (end,) = peer.take()
        self.assertEqual((end.header.code, end.header.retry), ("internal-error", True))
        peer.transport.lose()
        self.check_failed()

    def test_cannot_act_later(self) -> None:
        """A failure after a wait for other work ends the session, and the peer gets the reason."""
        peer = self.connect()
        peer.take()
        peer.send(ack(peer, "alice"))
        work: Deferred[Any] = Deferred()
        self.protocol.works = [work]
        peer.say("one", "two")
        self.protocol.failing = ("act_on",)
        work.callback(None)
        self.clock.advance(0)
        peer.transport.lose()
        self.check_failed()

    def test_cannot_close(self) -> None:
        """The protocol cuts off a transport that cannot be closed, and reports the end once."""
        peer = self.connect()
        empty: dict[str, Any] = {}
        peer.transport.loseWriteConnection = lambda: empty["no"]
        self.protocol.end_session("goodbye", "enough")
        self.clock.advance(0)
        self.assertEqual(peer.transport.ends, ["abort"])
        self.assertEqual([end.code for end in self.protocol.ends], ["goodbye"])
        self.assertEqual((self.protocol.closed, self.clock.getDelayedCalls()), (1, []))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_cannot_flush(self) -> None:
        """The protocol cuts off a connection that cannot be written to."""
        peer = self.connect()
        self.protocol.failing = ("flush",)
        peer.send(ack(peer, "alice"))
        self.clock.advance(0)
        self.assertEqual(peer.transport.ends, ["abort"])
        self.check_failed()
