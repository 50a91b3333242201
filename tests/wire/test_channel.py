"""The two channels: their handshakes, and the bytes that they carry."""

from weakref import ref

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.wire.channel import ClearChannel
from tests.wire.samples import (
    PREAMBLE,
    PSK,
    byte_by_byte,
    cuts,
    in_pieces,
    make_frame,
    new_client,
    new_server,
    open_pair,
    other_noise,
    read_channel,
    record,
    some_examples,
)

FRAMES = [make_frame(content=b"x" * n) for n in (0, 1, 500)]


def records_of(data):
    """Return the records of a stream, with their lengths."""
    records = []
    while data:
        end = 2 + int.from_bytes(data[:2], "big")
        records.append(data[:end])
        data = data[end:]
    return records


class OtherImplementationTests(SynchronousTestCase):
    def test_as_server(self):
        """A server's channel works with a client of another implementation."""
        server, client = new_server(ephemeral=None), other_noise(PSK, initiator=False)
        greeting = server.handshake_to_send()
        self.assertEqual(greeting[:10], PREAMBLE + b"\0\x30")
        client.read_message(greeting[10:])
        self.assertEqual(read_channel(server, [record(bytes(client.write_message()))]), b"")
        sealed = server.seal(FRAMES[0])
        self.assertEqual(client.decrypt(sealed[2:]), FRAMES[0])
        self.assertEqual(read_channel(server, [record(client.encrypt(FRAMES[1]))]), FRAMES[1])

    def test_as_client(self):
        """A client's channel works with a server of another implementation."""
        server, client = other_noise(PSK, initiator=True), new_client(ephemeral=None)
        self.assertEqual(
            read_channel(client, [PREAMBLE + record(bytes(server.write_message()))]), b""
        )
        answer = client.handshake_to_send()
        self.assertEqual(answer[:2], b"\0\x30")
        server.read_message(answer[2:])
        self.assertEqual(server.decrypt(client.seal(FRAMES[0])[2:]), FRAMES[0])
        self.assertEqual(read_channel(client, [record(server.encrypt(FRAMES[1]))]), FRAMES[1])


class HandshakeTests(SynchronousTestCase):
    def test_opens(self):
        """The client's channel opens when it can answer, the server's when the answer arrives."""
        server, client = new_server(), new_client()
        self.assertFalse(server.is_open)
        self.assertFalse(client.is_open)
        self.assertEqual(client.handshake_to_send(), b"")
        read_channel(client, [server.handshake_to_send()])
        self.assertTrue(client.is_open)
        self.assertFalse(server.is_open)
        read_channel(server, [client.handshake_to_send()])
        self.assertTrue(server.is_open)

    def test_sent_once(self):
        """Each side returns its handshake bytes once."""
        server, client = new_server(), new_client()
        read_channel(client, [server.handshake_to_send()])
        self.assertEqual(len(client.handshake_to_send()), 50)
        self.assertEqual(server.handshake_to_send(), client.handshake_to_send())
        self.assertEqual(client.handshake_to_send(), b"")

    def test_byte_by_byte(self):
        """A handshake that arrives byte by byte opens each channel at its last byte."""
        server, client = new_server(), new_client()
        greeting = server.handshake_to_send()
        self.assertEqual(len(greeting), 58)
        self.assertEqual(read_channel(client, byte_by_byte(greeting[:-1])), b"")
        self.assertFalse(client.is_open)
        self.assertEqual(read_channel(client, [greeting[-1:]]), b"")
        answer = client.handshake_to_send()
        self.assertEqual(read_channel(server, byte_by_byte(answer[:-1])), b"")
        self.assertFalse(server.is_open)
        self.assertEqual(read_channel(server, [answer[-1:]]), b"")
        self.assertTrue(server.is_open)

    def test_frames_right_behind(self):
        """The channel reads records directly behind a handshake message with it."""
        server, client = new_server(), new_client()
        read_channel(client, [server.handshake_to_send()])
        data = client.handshake_to_send() + client.seal(FRAMES[0])
        self.assertEqual(read_channel(server, [data]), FRAMES[0])


class EndTests(SynchronousTestCase):
    def test_keys(self):
        """A channel whose connection has ended keeps no key, and is not open."""
        server, client = open_pair()
        read_channel(server, [client.seal(FRAMES[0])])
        kept = [ref(state) for state in (server._sending, server._receiving)]
        server.close()
        self.assertEqual([each() for each in kept], [None, None])
        self.assertFalse(server.is_open)


class TransportTests(SynchronousTestCase):
    def test_both_ways(self):
        """Each side reads the other's plaintext, which does not appear in the stream."""
        for sender, receiver in (open_pair(), open_pair()[::-1]):
            for frame in FRAMES:
                sealed = sender.seal(frame)
                self.assertNotIn(frame[4:], sealed)
                self.assertEqual(read_channel(receiver, [sealed]), frame)

    def test_byte_by_byte(self):
        """A stream that arrives byte by byte gives the same frames."""
        server, client = open_pair()
        stream = b"".join(map(client.seal, FRAMES))
        self.assertEqual(read_channel(server, byte_by_byte(stream)), b"".join(FRAMES))

    @some_examples
    @given(st.data())
    def test_random_cuts(self, data):
        """A stream gives the same frames, wherever it and its handshake are cut."""
        server, client = open_pair()
        stream = new_server().handshake_to_send() + b"".join(map(server.seal, FRAMES))
        self.assertEqual(read_channel(new_client(), data.draw(cuts(stream))), b"".join(FRAMES))
        read_channel(twin := new_client(), [new_server().handshake_to_send()])
        stream = twin.handshake_to_send() + b"".join(map(client.seal, FRAMES))
        self.assertEqual(read_channel(new_server(), data.draw(cuts(stream))), b"".join(FRAMES))

    @some_examples
    @given(st.lists(st.binary(max_size=50)), st.data())
    def test_any_plaintexts(self, plaintexts, data):
        """Any plaintexts come out again in order, wherever the stream is cut."""
        server, client = open_pair()
        stream = b"".join(map(server.seal, plaintexts))
        self.assertEqual(read_channel(client, data.draw(cuts(stream))), b"".join(plaintexts))
        self.assertTrue(client.is_empty)

    def test_one_record_for_a_flush(self):
        """A flush is one record, up to the maximum length of a Noise message."""
        server, client = open_pair()
        longest = bytes(65535 - 16)
        sealed = server.seal(longest)
        self.assertEqual(len(sealed), 2 + 65535)
        self.assertEqual(read_channel(client, [sealed]), longest)
        sealed = server.seal(longest + b"\1")
        self.assertEqual([len(r) for r in records_of(sealed)], [2 + 65535, 2 + 17])
        self.assertEqual(read_channel(client, [sealed]), longest + b"\1")

    def test_200_kilobytes(self):
        """A plaintext over many records comes out complete; all records but the last are full."""
        server, client = open_pair()
        plaintext = bytes(range(250)) * 800
        sealed = server.seal(plaintext)
        lengths = [len(r) - 2 for r in records_of(sealed)]
        self.assertEqual(lengths, [65535, 65535, 65535, 200_000 - 3 * 65519 + 16])
        self.assertEqual(read_channel(client, in_pieces(sealed, 1460)), plaintext)
        self.assertTrue(client.is_empty)

    def test_empty_plaintexts(self):
        """The channel skips any number of records without plaintext."""
        server, client = open_pair()
        cipher = server._sending
        empty = b"".join(b"\0\x10" + cipher.encrypt(b"") for _ in range(100))
        self.assertEqual(len(empty), 100 * 18)
        self.assertEqual(read_channel(client, [empty]), b"")
        client.receive_data(server.seal(b"") + server.seal(b"text") + server.seal(b""))
        self.assertEqual(client.next_plaintext(), b"text")
        self.assertEqual(client.next_plaintext(), b"")
        self.assertEqual(client._buffer, b"")  # it keeps no memory for them

    def test_one_record_at_a_time(self):
        """Records that arrive together are returned separately, and more may arrive in between."""
        server, client = open_pair()
        sealed = [server.seal(text) for text in (b"a", b"b", b"c")]
        client.receive_data(sealed[0] + sealed[1][:5])
        self.assertEqual(client.next_plaintext(), b"a")
        client.receive_data(sealed[1][5:])
        client.receive_data(sealed[2])
        self.assertEqual([client.next_plaintext() for _ in range(3)], [b"b", b"c", b""])

    def test_is_empty(self):
        """A channel is empty if it holds no part of a preamble or record."""
        server, client = new_server(), new_client()
        self.assertTrue(client.is_empty)
        begun = []
        for byte in byte_by_byte(server.handshake_to_send()):
            read_channel(client, [byte])
            begun.append(not client.is_empty)
        self.assertEqual(begun, [True] * 7 + [False] + [True] * 49 + [False])


class ClearChannelTests(SynchronousTestCase):
    def test_passes_bytes_on(self):
        """Bytes pass unchanged, both ways, without a handshake."""
        channel = ClearChannel()
        self.assertTrue(channel.is_open)
        self.assertEqual(channel.handshake_to_send(), b"")
        self.assertEqual(channel.seal(FRAMES[0]), FRAMES[0])
        self.assertEqual(read_channel(channel, byte_by_byte(FRAMES[0])), FRAMES[0])

    def test_no_copy(self):
        """The channel returns the bytes of one read without a copy."""
        channel = ClearChannel()
        channel.receive_data(FRAMES[0])
        self.assertIs(channel.next_plaintext(), FRAMES[0])

    def test_keeps_what_was_not_asked_for(self):
        """Reads that wait are returned together, once."""
        channel = ClearChannel()
        channel.receive_data(b"a")
        channel.receive_data(b"b")
        self.assertEqual(channel.next_plaintext(), b"ab")
        self.assertEqual(channel.next_plaintext(), b"")
        self.assertTrue(channel.is_empty)

    def test_only_the_first_byte_is_looked_at(self):
        """A client without a key checks only the first byte of the server."""
        channel = ClearChannel(expects_server=True)
        self.assertEqual(
            read_channel(channel, [b"", FRAMES[0], PREAMBLE, b"SSH"]), FRAMES[0] + PREAMBLE + b"SSH"
        )

    def test_server_takes_any_first_byte(self):
        """A server without a key leaves a client's first bytes to the frame checks."""
        self.assertEqual(read_channel(ClearChannel(), [PREAMBLE]), PREAMBLE)
