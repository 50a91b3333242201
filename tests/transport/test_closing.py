"""Tests of closing a transport."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.transport.closing import CLOSE_TIMEOUT_S, Closing
from chatd.transport.outbuffer import SLICE, OutBuffer
from tests.fakes.peers import PipeTransport, SocketTransport, TerminalTransport, TlsTransport


class ClosingTests(SynchronousTestCase):
    def close(self, transport_class, *, peer_has_finished=False, left_bytes=0):
        """Close a transport with some bytes still to write; return the kind of its end."""
        self.transport = transport_class(None)
        self.clock = Clock()
        self.cut_off: list[Any] = []
        self.outbuffer = OutBuffer(self.transport, lambda piece, _: piece)
        if left_bytes:
            self.outbuffer.pause()
            self.outbuffer.finish([bytes(left_bytes)])
        self.closing = Closing(
            self.transport, self.outbuffer, self.clock, lambda: self.cut_off.append(True)
        )
        self.closing.proceed(peer_has_finished=peer_has_finished)
        return self.transport.ends

    def test_half(self):
        """A socket is half-closed first, so that the peer can read everything."""
        self.assertEqual(self.close(SocketTransport), ["half-close"])

    def test_whole(self):
        """A transport without half-close closes whole, and so does one whose peer has finished."""
        for transport_class in (PipeTransport, TerminalTransport, TlsTransport):
            self.assertEqual(self.close(transport_class), ["close"])
        self.assertEqual(self.close(SocketTransport, peer_has_finished=True), ["close"])

    def test_not_yet(self):
        """The protocol does not close a transport with bytes to write."""
        self.assertEqual(self.close(SocketTransport, left_bytes=SLICE + 1), [])
        self.outbuffer.discard()
        self.closing.proceed(peer_has_finished=False)
        self.assertEqual(self.transport.ends, ["half-close"])

    def test_too_slow(self):
        """The protocol cuts off a peer that does not read in time, once."""
        self.close(SocketTransport)
        self.clock.advance(CLOSE_TIMEOUT_S - 0.1)
        self.assertEqual(self.cut_off, [])
        self.clock.advance(0.1)
        self.assertEqual(self.cut_off, [True])

    def test_stopped(self):
        """After `stop`, the timer cuts off nothing."""
        self.close(SocketTransport)
        self.closing.stop()
        self.clock.advance(2 * CLOSE_TIMEOUT_S)
        self.assertEqual(self.cut_off, [])
