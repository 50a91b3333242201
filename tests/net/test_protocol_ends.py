"""Tests of how a protocol ends: a peer that does not read, closing, and a slow handshake."""

from __future__ import annotations

from twisted.internet.error import ConnectionLost

from chatd.net.protocol import CLOSE_TIMEOUT_S
from chatd.session.connection import HANDSHAKE_TIMEOUT_S
from chatd.wire.messages import MessageType
from tests.net.fakes import GOODBYE, PipeTransport, TerminalTransport, TlsTransport
from tests.net.test_protocol import MAX_PENDING, ProtocolTests


class SlowConsumerTests(ProtocolTests):
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


class UnboundedTests(ProtocolTests):
    """A protocol without a bound."""

    max_pending = None

    def test_no_limit(self) -> None:
        """Anything may wait where there is no limit."""
        self.establish()
        self.transport.accept_no_more()
        self.protocol.deliver(bytes(100 * MAX_PENDING))
        self.end_turn()
        self.assertEqual(self.end_codes(), [])


class ClosingTests(ProtocolTests):
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


class TlsClosingTests(ProtocolTests):
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


class PipeClosingTests(ProtocolTests):
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


class HandshakeTimeoutTests(ProtocolTests):
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
