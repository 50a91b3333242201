"""Tests of a WebSocket as a transport: its ends, on each kind of connection, and its producer."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableDescriptor, ISSLTransport
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from chatd.transport.closing import CLOSE_TIMEOUT_S
from chatd.transport.websocket import SHORT, SMALL, WebSocketTransport
from tests.fakes.peers import PipeTransport, SocketTransport, TerminalTransport, TlsTransport

TEXT = Frame(Opcode.TEXT, b"text").serialize(mask=True)
CLOSE = Frame(Opcode.CLOSE, Close(1000, "").serialize()).serialize(mask=True)


def ping(data: bytes) -> bytes:
    return Frame(Opcode.PING, data).serialize(mask=True)


class Session:
    """The session above; it records the calls.

    Attributes:
        calls: What it was told, and the bytes that it received.
    """

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def makeConnection(self, transport: Any) -> None:
        self.calls.append("made")

    def dataReceived(self, data: bytes) -> None:
        self.calls.append(data)

    def readConnectionLost(self) -> None:
        self.calls.append("peer closed")

    def connectionLost(self, reason: Failure) -> None:
        self.calls.append("lost")

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


class Counting(WebSocketTransport):
    """A transport that notes the counts of frames."""

    def carried(self, empty_frames: int, short_frames: int) -> None:
        self.counts = empty_frames, short_frames


class WebSocketCase(SynchronousTestCase):
    def open(self, transport_class: Any = SocketTransport, **options: Any) -> None:
        self.clock = Clock()
        self.session = Session()
        framing: Any = ServerProtocol(state=OPEN, max_size=None)
        session: Any = self.session
        self.websocket = Counting(framing, session, self.clock, **options)
        self.stream = transport_class(self.websocket)
        self.websocket.makeConnection(self.stream)
        producer: Any = self.session
        self.websocket.registerProducer(producer, True)
        self.session.calls.clear()

    def sent(self) -> list[tuple[int, bytes]]:
        """Return the frames that were written, as pairs of opcode and contents."""
        data, found = b"".join(self.stream.writes), []
        while data:
            length = data[1]
            found.append((data[0] & 0x0F, data[2 : 2 + length]))
            data = data[2 + length :]
        self.stream.writes.clear()
        return found

    def codes(self) -> list[int]:
        """Return the codes of the Close frames that were written."""
        return [Close.parse(data).code for opcode, data in self.sent() if opcode == Opcode.CLOSE]


class FinishTests(WebSocketCase):
    """After its last byte, the sending half is closed where that works, and else the whole."""

    def finish(self, transport_class: Any, first: str) -> None:
        """Close a WebSocket whose connection is full; the side that closes first is given."""
        self.open(transport_class)
        self.stream.pauseProducing()
        if first == "this side":
            self.websocket.loseConnection()
            self.assertEqual((self.codes(), self.stream.ends), ([1000], []))
            self.websocket.dataReceived(CLOSE)
            self.assertEqual(self.sent(), [])
        elif first == "the peer":
            self.websocket.dataReceived(CLOSE)
            self.assertEqual((self.session.calls, self.stream.ends), ([b"", "peer closed"], []))
            self.websocket.loseConnection()
            self.assertEqual(self.codes(), [1000])
        else:
            self.websocket.dataReceived(TEXT)
            self.assertEqual(self.codes(), [1003])

    def test_socket(self) -> None:
        """A socket is half-closed, and read on, so that the peer's end is noticed."""
        for transport_class in (SocketTransport, TerminalTransport):
            for first in ("this side", "the peer", "a fault"):
                self.finish(transport_class, first)
                self.assertEqual((self.stream.ends, self.stream.is_reading), (["half-close"], True))

    def test_whole(self) -> None:
        """TLS and a pipe are closed whole."""
        for transport_class in (TlsTransport, PipeTransport):
            for first in ("this side", "the peer", "a fault"):
                self.finish(transport_class, first)
                self.assertEqual(self.stream.ends, ["close"])

    def test_producer(self) -> None:
        """The session produces nothing more."""
        for first in ("this side", "the peer", "a fault"):
            self.finish(SocketTransport, first)
            self.assertIsNone(self.stream._producer)
            self.websocket.unregisterProducer()
            self.session.calls.clear()
            self.stream.accept_again()
            self.assertEqual(self.session.calls, [])

    def test_after_the_end(self) -> None:
        """What comes after the end is dropped, and nothing more is written."""
        for first in ("this side", "the peer", "a fault"):
            self.finish(SocketTransport, first)
            self.session.calls.clear()
            for data in (ping(b"x"), Frame(Opcode.BINARY, b"x").serialize(mask=True), TEXT, b"\0"):
                self.websocket.dataReceived(data)
            self.websocket.write(b"x")
            self.websocket.loseConnection()
            self.assertEqual((self.session.calls, self.sent()), ([], []))
            self.assertEqual(self.stream.ends, ["half-close"])


class ClosingTests(WebSocketCase):
    """This side has sent its Close, and waits for that of the peer."""

    def setUp(self) -> None:
        self.open()
        self.websocket.loseConnection()
        self.sent()

    def test_data(self) -> None:
        """What still arrives is counted, and is no concern of the session."""
        self.websocket.dataReceived(Frame(Opcode.BINARY, bytes(100)).serialize(mask=True))
        self.assertEqual((self.session.calls, self.websocket.counts), ([], (0, 1)))

    def test_ping(self) -> None:
        """A ping has no pong: nothing may follow a Close."""
        self.websocket.dataReceived(ping(b"x"))
        self.assertEqual(self.sent(), [])

    def test_again(self) -> None:
        """A second call sends no second Close."""
        self.websocket.loseConnection()
        self.assertEqual((self.sent(), self.stream.ends), ([], []))

    def test_fault(self) -> None:
        """A fault ends the connection, without a second Close."""
        self.websocket.dataReceived(TEXT)
        self.assertEqual((self.sent(), self.stream.ends), ([], ["half-close"]))
        self.clock.advance(CLOSE_TIMEOUT_S)
        self.assertEqual(self.stream.ends, ["half-close", "abort"])


class FaultTests(WebSocketCase):
    def test_time(self) -> None:
        """A peer that stays after its fault is cut off in time; one that goes leaves no timer."""
        for stays in (True, False):
            self.open()
            self.websocket.dataReceived(TEXT)
            self.clock.advance(CLOSE_TIMEOUT_S - 0.1)
            self.assertEqual(self.stream.ends, ["half-close"])
            if not stays:
                self.stream.lose()
            self.clock.advance(0.1)
            self.assertEqual(self.stream.ends, ["half-close", "abort"][: 1 + stays])
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_without_abort(self) -> None:
        """A connection that cannot be aborted is closed instead."""
        self.open(PipeTransport)
        self.websocket.abortConnection()
        self.assertEqual(self.stream.ends, ["close"])

    def test_cut_off(self) -> None:
        """A session that cuts off the connection while it reads hears of nothing behind that."""
        for end in (TEXT, CLOSE, b"\0"):
            self.open()
            self.session.dataReceived = lambda data: self.websocket.abortConnection()
            self.websocket.dataReceived(Frame(Opcode.BINARY, b"x").serialize(mask=True) + end)
            self.assertEqual((self.sent(), self.stream.ends), ([], ["abort"]))
            self.assertEqual(self.session.calls, ["lost"])
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lost(self) -> None:
        """The session hears of a lost connection, once the WebSocket is closed."""
        self.open()
        self.session.connectionLost = lambda reason: self.websocket.write(b"late")
        self.websocket.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.sent(), [])


class ProducerTests(WebSocketCase):
    """The session's producer is told whether the peer reads."""

    def test_passed_on(self) -> None:
        """It is paused, resumed and stopped as the connection's own producer would be."""
        self.open()
        gate = self.stream._producer
        for call in ("pause", "resume", "stop"):
            getattr(gate, f"{call}Producing")()
        self.assertEqual(self.session.calls, ["pause", "resume", "stop"])

    def test_stopped(self) -> None:
        """Once it is stopped, no ping is answered: the connection has ended."""
        self.open()
        self.stream._producer.stopProducing()
        self.websocket.dataReceived(ping(b"x"))
        self.assertEqual(self.sent(), [])

    def test_pong_first(self) -> None:
        """When the peer reads again, it gets its pong before what the session has for it."""
        self.open()
        self.session.resumeProducing = lambda: self.websocket.write(b"more")
        self.stream.accept_no_more()
        self.websocket.dataReceived(ping(b"x"))
        self.stream.accept_again()
        self.assertEqual(self.sent(), [(Opcode.PONG, b"x"), (Opcode.BINARY, b"more")])

    def test_pong_once(self) -> None:
        """A ping is answered once."""
        self.open()
        self.websocket.dataReceived(ping(b"x"))
        self.stream.accept_no_more()
        self.stream.accept_again()
        self.assertEqual(self.sent(), [(Opcode.PONG, b"x")])

    def test_none(self) -> None:
        """Without a producer, there is none to remove, and nothing says whether the peer reads."""
        self.open()
        self.websocket.unregisterProducer()
        self.stream.registerProducer("another", True)
        self.websocket.unregisterProducer()
        self.assertEqual(self.stream._producer, "another")
        self.websocket.dataReceived(ping(b"x"))
        self.assertEqual(self.sent(), [])


class CountTests(WebSocketCase):
    """The sizes from which on frames cost less than their bytes."""

    def counts(self, opcode: Opcode, length: int) -> tuple[int, int]:
        self.open()
        self.websocket.dataReceived(Frame(opcode, bytes(length)).serialize(mask=True))
        return self.websocket.counts

    def test_binary(self) -> None:
        """A binary frame is empty, short or neither."""
        for length, counts in (
            (0, (1, 0)),
            (SMALL - 1, (1, 0)),
            (SMALL, (0, 1)),
            (SHORT - 1, (0, 1)),
            (SHORT, (0, 0)),
        ):
            self.assertEqual(self.counts(Opcode.BINARY, length), counts, length)

    def test_control(self) -> None:
        """A control frame is empty, whatever its length."""
        for opcode in (Opcode.PING, Opcode.PONG):
            for length in (0, 125):
                self.assertEqual(self.counts(opcode, length), (1, 0))


class InterfaceTests(WebSocketCase):
    def test_private(self) -> None:
        """It claims TLS where the way is private: the connection has TLS, or a proxy said so."""
        for transport_class, is_private, claims in (
            (SocketTransport, False, False),
            (SocketTransport, True, True),
            (TlsTransport, False, True),
        ):
            self.open(transport_class, is_private=is_private)
            self.assertIs(ISSLTransport.providedBy(self.websocket), claims)

    def test_peer(self) -> None:
        """The peer is the one that a proxy has told, or else that of the connection."""
        told = IPv4Address("TCP", "203.0.113.9", 1)
        for peer in (None, told):
            self.open(peer=peer)
            self.assertEqual(self.websocket.getPeer(), peer or self.stream.getPeer())

    def test_other_interfaces(self) -> None:
        """It is connected, and claims nothing else that the connection can do."""
        self.open()
        self.assertTrue(IHalfCloseableDescriptor.providedBy(self.stream))
        self.assertFalse(IHalfCloseableDescriptor.providedBy(self.websocket))
        self.assertTrue(self.websocket.connected)
