"""Tests of the out buffer: it writes no more than the peer reads."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.testing import MemoryReactor
from twisted.trial.unittest import SynchronousTestCase

from chatd.transport.outbuffer import SLICE, OutBuffer
from chatd.transport.writers import SocketWriter
from chatd.wire.channel import SecureChannel
from tests.transport.cases import Socket


class Stream:
    """A transport that asks its producer to pause after each larger write."""

    def __init__(self) -> None:
        itself: Any = self
        self.outbuffer = OutBuffer(itself, lambda piece, _: piece)
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.writes.append(bytes(data))
        if len(data) > 1_000:
            self.outbuffer.pause()


class OutBufferTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stream = Stream()
        self.outbuffer = self.stream.outbuffer

    def test_small(self) -> None:
        """The buffer writes a few bytes at once."""
        self.outbuffer.write(b"one")
        self.outbuffer.write(b"two")
        self.assertEqual(self.stream.writes, [b"one", b"two"])
        self.assertTrue(self.outbuffer.is_open)

    def test_nothing(self) -> None:
        """No bytes cause no write."""
        self.outbuffer.write(b"")
        self.outbuffer.finish([])
        self.assertEqual(self.stream.writes, [])

    def test_large(self) -> None:
        """The buffer writes many bytes slice by slice, as fast as the peer reads."""
        data = bytes(range(256)) * (3 * SLICE // 256) + b"end"
        self.outbuffer.write(data)
        self.assertEqual(self.stream.writes, [data[:SLICE]])
        self.assertEqual(len(self.outbuffer), 2 * SLICE + 3)
        for slices in (2, 3, 4):
            self.assertFalse(self.outbuffer.is_open)
            self.outbuffer.resume()
            self.assertEqual(len(self.stream.writes), slices)
        self.assertTrue(self.outbuffer.is_open)
        self.assertEqual(b"".join(self.stream.writes), data)

    def test_one_slice_at_a_time(self) -> None:
        """Even if the peer reads everything, each call writes one slice, the last bytes last."""
        writes: list[bytes] = []
        stream = SimpleNamespace(write=lambda data: writes.append(bytes(data)))
        outlet = OutBuffer(stream, lambda piece, _: piece)
        outlet.write(bytes(2 * SLICE + 1))
        outlet.finish([b"end"])
        self.assertEqual([len(piece) for piece in writes], [SLICE, SLICE])
        for left in (True, False):
            outlet.proceed()
            self.assertEqual(outlet.may_proceed, left)
        outlet.proceed()
        self.assertEqual(writes[2:], [b"\0", b"end"])
        self.assertTrue(outlet.is_done)

    def test_paused(self) -> None:
        """A paused buffer is not open; a resumed buffer is."""
        self.outbuffer.pause()
        self.assertFalse(self.outbuffer.is_open)
        self.outbuffer.resume()
        self.assertTrue(self.outbuffer.is_open)

    def test_finish(self) -> None:
        """The last bytes follow the held bytes, as fast as the peer reads."""
        self.outbuffer.write(bytes(2 * SLICE))
        self.outbuffer.finish([b"bye"])
        self.assertEqual((len(self.outbuffer), self.outbuffer.is_done), (SLICE + 3, False))
        self.outbuffer.resume()
        self.outbuffer.resume()
        self.assertEqual(self.stream.writes[1:], [bytes(SLICE), b"bye"])
        self.assertEqual((len(self.outbuffer), self.outbuffer.is_done), (0, True))

    def test_finish_a_few_bytes(self) -> None:
        """The buffer writes a few last bytes even if the peer does not read."""
        self.outbuffer.pause()
        self.outbuffer.finish([b"bye"])
        self.assertEqual(self.stream.writes, [b"bye"])
        self.assertTrue(self.outbuffer.is_done)

    def test_finish_many_bytes(self) -> None:
        """Many last bytes wait until the peer reads."""
        self.outbuffer.pause()
        self.outbuffer.finish([bytes(SLICE + 1)])
        self.assertEqual(self.stream.writes, [])
        self.outbuffer.resume()
        self.outbuffer.resume()
        self.assertEqual(self.stream.writes, [bytes(SLICE), bytes(1)])

    def test_finish_in_pieces(self) -> None:
        """Long last pieces are written from the bytes that others share, short ones together."""
        written: list[Any] = []
        outlet = OutBuffer(SimpleNamespace(write=written.append), lambda piece, _: piece)
        shared = bytes(2 * SLICE)
        outlet.pause()
        outlet.finish([b"a", b"b", shared, b"c", shared, b"d", b"e"])
        self.assertEqual(len(outlet), 4 * SLICE + 5)
        outlet.resume()
        while outlet.may_proceed:
            outlet.proceed()
        self.assertEqual(b"".join(written), b"ab" + shared + b"c" + shared + b"de")
        self.assertEqual([len(piece) for piece in written], [2, SLICE, SLICE, 1, SLICE, SLICE, 2])
        self.assertEqual([piece.obj is shared for piece in written].count(True), 4)

    def test_shared_memory(self) -> None:
        """Two buffers share the memory for sealing, and the held bytes of each stay intact."""
        reactor, said = MemoryReactor(), bytes(range(256)) * 400
        ends = []
        for _ in range(2):
            server, client = (SecureChannel(bytes(32), initiator=side) for side in (True, False))
            client.receive_data(server.handshake_to_send())
            client.next_plaintext()
            server.receive_data(client.handshake_to_send())
            server.next_plaintext()
            socket = Socket(reactor, 5)
            ends.append((OutBuffer(SocketWriter(socket), server.seal_into), socket, client))
        for outlet, _, _ in ends:
            outlet.write(said)
        for outlet, socket, client in ends:
            outlet.write(b"end")
            socket.room = 1_000_000
            while socket in reactor.getWriters():
                socket.doWrite()
            client.receive_data(socket.taken)
            heard = b"".join(iter(client.next_plaintext, b""))
            self.assertEqual(heard, said + b"end")

    def test_sealed_when_written(self) -> None:
        """Held bytes are not sealed yet, and pieces are sealed in order."""
        sealed: list[int] = []

        def seal(piece: Any, _: object) -> Any:
            sealed.append(len(piece))
            return piece

        stream: Any = self.stream
        outlet = OutBuffer(stream, seal)
        self.stream.outbuffer = outlet
        outlet.write(bytes(2 * SLICE))
        self.assertEqual(sealed, [SLICE])
        outlet.resume()
        self.assertEqual(sealed, [SLICE, SLICE])
