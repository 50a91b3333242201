"""Tests of how a protocol ends: a peer that does not read, closing, and a slow handshake."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.connection.limits import HANDSHAKE_TIMEOUT_S
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
    """What waits for a peer that does not read is bounded."""

    def setUp(self) -> None:
        super().setUp()
        self.establish()
        self.transport.accept_no_more()

    def fill(self, count_bytes: int) -> None:
        """Deliver so many bytes."""
        self.protocol.deliver(bytes(count_bytes))
        self.end_turn()

    def test_up_to_the_bound(self) -> None:
        """As much as the bound may wait."""
        self.fill(MAX_PENDING)
        self.assertEqual(self.end_codes(), [])
        self.assertEqual(self.peer.count_writes(), 0)

    def test_over_the_bound(self) -> None:
        """With more the session ends; what waited is dropped, and the reason is sent instead."""
        self.fill(MAX_PENDING)
        self.fill(1)
        self.assertEqual(self.end_codes(), ["slow-consumer"])
        (end,) = self.peer.take()
        self.assertEqual(end.type, MessageType.DISCONNECT)
        self.assertEqual((end.header.code, end.header.retry), ("slow-consumer", True))
        self.assertEqual(self.transport.ends, ["half-close"])

    def test_cut_off(self) -> None:
        """Who does not read the reason either is cut off."""
        self.fill(MAX_PENDING + 1)
        self.clock.advance(CLOSE_TIMEOUT_S - 0.01)
        self.assertEqual(self.transport.ends, ["half-close"])
        self.clock.advance(0.01)
        self.assertEqual(self.transport.ends, ["half-close", "abort"])
        self.assertEqual((self.end_codes(), self.protocol.closed), (["slow-consumer"], 1))

    def test_reads_again_in_time(self) -> None:
        """Who reads again before it is too much gets everything."""
        self.deliver("one")
        self.end_turn()
        self.transport.accept_again()
        self.end_turn()
        self.assertEqual(self.peer.take_texts(), ["one"])
        self.assertEqual(self.end_codes(), [])

    def test_ended_while_it_does_not_read(self) -> None:
        """The end of a session is sent, after what waited, to one that does not read, too."""
        self.deliver("one")
        self.protocol.end_session("goodbye", "enough")
        self.end_turn()
        self.assertEqual(
            [message.type for message in self.peer.take()],
            [MessageType.MESSAGE, MessageType.DISCONNECT],
        )


class UnboundedTests(ProtocolCase):
    """A protocol without a bound."""

    max_pending = None

    def test_no_limit(self) -> None:
        """Anything may wait where there is no limit."""
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
        """A socket's sending half is closed once the reason is written."""
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
        """A peer that closes in time is not cut off, and nothing stays behind."""
        self.protocol.end_session("goodbye", "enough")
        self.end_turn()
        self.transport.lose()
        self.assertEqual((self.end_codes(), self.protocol.closed), (["goodbye"], 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(2 * CLOSE_TIMEOUT_S)
        self.assertEqual(self.transport.ends, ["half-close"])

    def test_peer_does_not_close(self) -> None:
        """A peer that does not close in time is cut off."""
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
        """Where the peer says goodbye, this side closes, without a word."""
        self.peer.send(GOODBYE)
        self.end_turn()
        self.assertEqual((self.peer.take(), self.transport.ends), ([], ["half-close"]))
        self.assertEqual(self.end_codes(), ["goodbye"])

    def test_data_after_the_end(self) -> None:
        """What still arrives after the end is read and dropped."""
        self.protocol.end_session("goodbye", "enough")
        self.end_turn()
        self.peer.say("too late")
        self.end_turn()
        self.assertEqual((self.protocol.texts, self.transport.ends), ([], ["half-close"]))

    def test_transport_does_not_ask_for_more_after_the_end(self) -> None:
        """The transport no longer asks the protocol to go on or to wait."""
        self.protocol.end_session("goodbye", "enough")
        self.end_turn()
        self.peer.take()
        self.transport.accept_no_more()
        self.transport.accept_again()
        self.end_turn()
        self.assertEqual(self.peer.count_writes(), 0)

    def test_connection_lost(self) -> None:
        """A connection that is lost ends the session, once, and leaves nothing behind."""
        self.transport.lose(ConnectionLost())
        self.end_turn()
        self.assertEqual((self.end_codes(), self.protocol.closed), (["connection-lost"], 1))
        self.assertEqual((self.transport.ends, self.clock.getDelayedCalls()), ([], []))

    def test_connection_lost_before_the_flush(self) -> None:
        """A session that has ended and is cut off before it could say so ended for its reason."""
        self.protocol.end_session("goodbye", "enough")
        self.transport.lose(ConnectionLost())
        self.end_turn()
        self.assertEqual((self.end_codes(), self.protocol.closed), (["goodbye"], 1))
        self.assertEqual((self.peer.take(), self.transport.ends), ([], []))

    def test_fault(self) -> None:
        """A fault in the bytes is answered with an ERROR and ends the session."""
        self.protocol.dataReceived(b"\xff" * 100)
        self.end_turn()
        self.assertEqual(
            [(message.type, message.header.code) for message in self.peer.take()],
            [(MessageType.ERROR, "too-large"), (MessageType.DISCONNECT, "too-large")],
        )
        self.assertEqual((self.end_codes(), self.transport.ends), (["too-large"], ["half-close"]))


class TlsClosingTests(ProtocolCase):
    """A session over TLS ends with TLS's own end."""

    transport_class = TlsTransport

    def test_whole_close(self) -> None:
        """TLS cannot be half-closed: it is closed, and aborted where the peer does not answer."""
        self.establish()
        self.protocol.end_session("goodbye", "enough")
        self.end_turn()
        self.assertEqual(self.transport.ends, ["close"])
        self.clock.advance(CLOSE_TIMEOUT_S)
        self.assertEqual(self.transport.ends, ["close", "abort"])


class PipeClosingTests(ProtocolCase):
    """A session over a transport that knows only one way to close."""

    transport_class = PipeTransport

    def test_left_alone(self) -> None:
        """What can only be closed is closed, and given up where the peer does not answer."""
        self.establish()
        self.protocol.end_session("goodbye", "enough")
        self.end_turn()
        self.assertEqual((self.transport.ends, self.protocol.closed), (["close"], 0))
        self.clock.advance(CLOSE_TIMEOUT_S)
        self.assertEqual((self.transport.ends, self.protocol.closed), (["close"], 1))

    def test_lost_after_it_was_left_alone(self) -> None:
        """The end of a connection that was given up is not told a second time."""
        self.establish()
        self.protocol.end_session("goodbye", "enough")
        self.end_turn()
        self.clock.advance(CLOSE_TIMEOUT_S)
        self.transport.lose()
        self.assertEqual((self.end_codes(), self.protocol.closed), (["goodbye"], 1))


class TerminalClosingTests(PipeClosingTests):
    """A session over standard input and output ends like one over a pipe."""

    transport_class = TerminalTransport


class HandshakeTimeoutTests(ProtocolCase):
    """A handshake has its time."""

    def test_too_slow(self) -> None:
        """A peer that is not established in time is told so, and the connection closed."""
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
        """Once the session is established the time of the handshake has no meaning."""
        self.establish()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lost_before_it_is_due(self) -> None:
        """A connection that is lost during the handshake leaves nothing behind."""
        self.transport.lose()
        self.end_turn()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.end_codes(), ["connection-lost"])


class FailingProtocol(RecordingProtocol):
    """Fails where a test wants it to.

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
    """A fault of this side's own ends the session, and closes the transport."""

    def connect(self, *failing: str, transport_class=SocketTransport) -> Peer:
        """Connect a protocol of which some methods fail."""
        self.clock = Clock()
        self.protocol = FailingProtocol(self.clock)
        self.protocol.failing = failing
        self.peer = Peer(self.protocol, Codec(), transport_class)
        return self.peer

    def check_failed(self, count: int = 1) -> None:
        """Check that it has ended, and that it is logged why."""
        self.assertEqual([end.code for end in self.protocol.ends], ["internal-error"])
        self.assertEqual(self.protocol.closed, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), count)

    def test_cannot_begin(self) -> None:
        """A connection that cannot begin is cut off."""
        peer = self.connect("connectionMade")
        self.assertEqual(peer.transport.ends, ["abort"])
        self.check_failed()

    def test_cannot_begin_on_pipes(self) -> None:
        """Pipes, which cannot be cut off, are closed, and nobody waits for their end."""
        peer = self.connect("connectionMade", transport_class=PipeTransport)
        self.assertEqual(peer.transport.ends, ["close"])
        peer.transport.lose()
        self.check_failed()

    def test_cannot_greet(self) -> None:
        """A connection whose greeting cannot be written is cut off."""
        peer = self.connect("flush")
        self.assertEqual(peer.transport.ends, ["abort"])
        self.check_failed()

    def test_cannot_act(self) -> None:
        """What arrives and cannot be acted on ends the session; the peer is told."""
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
        """The same goes for what had to wait until something else was done."""
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
        """A transport that cannot be closed in order is cut off; the end is told once."""
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
        """A connection that cannot be written to is cut off."""
        peer = self.connect()
        self.protocol.failing = ("flush",)
        peer.send(ack(peer, "alice"))
        self.clock.advance(0)
        self.assertEqual(peer.transport.ends, ["abort"])
        self.check_failed()
