"""The faults that the two channels refuse: at which byte, and with which error."""

import contextlib
import struct
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import (
    KeyRequiredError,
    KeyUnexpectedError,
    MagicError,
    RecordError,
    RemoteProtocolError,
    WrongKeyError,
)
from chatd.wire.channel import ClearChannel
from tests.wire.hostile import flip_bit
from tests.wire.samples import (
    LOW_ORDER_KEYS,
    OTHER_PSK,
    PREAMBLE,
    LowOrderKey,
    bytes_until_refused,
    cuts,
    make_frame,
    new_client,
    new_server,
    open_pair,
    read_channel,
    record,
    some_examples,
)

FRAME = make_frame()


def taken_until(error, channel, data):
    """Return the number of bytes that a channel takes until it raises `error`."""
    return bytes_until_refused(partial(read_channel, channel), data, error)


class BadRecordTests(SynchronousTestCase):
    def test_replayed(self):
        """The channel refuses a repeated record."""
        server, client = open_pair()
        sealed = client.seal(b"text")
        self.assertEqual(read_channel(server, [sealed]), b"text")
        with pytest.raises(RecordError):
            read_channel(server, [sealed])

    def test_reordered(self):
        """The channel refuses reordered records, and returns none of their plaintext."""
        server, client = open_pair()
        first, second = client.seal(b"first"), client.seal(b"second")
        server.receive_data(second + first)
        with pytest.raises(RecordError):
            server.next_plaintext()

    def test_left_out(self):
        """The channel refuses a record if the record before it is missing."""
        server, client = open_pair()
        client.seal(b"first")
        with pytest.raises(RecordError):
            read_channel(server, [client.seal(b"second")])

    def test_reflected(self):
        """A side that receives its own record refuses it."""
        server, _ = open_pair()
        with pytest.raises(RecordError):
            read_channel(server, [server.seal(b"text")])

    def test_of_another_connection(self):
        """The channel refuses a record of another connection with the same key."""
        server, _ = open_pair()
        other = new_client(ephemeral=None)
        read_channel(other, [new_server(ephemeral=None).handshake_to_send()])
        with pytest.raises(RecordError):
            read_channel(server, [other.seal(b"text")])

    def test_every_bit(self):
        """The channel refuses a record with any flipped bit in its message."""
        sealed = open_pair()[1].seal(b"text")
        for bit in range(16, 8 * len(sealed)):
            with pytest.raises(RecordError):
                read_channel(open_pair()[0], [flip_bit(sealed, bit)])

    def test_cut_short(self):
        """The channel refuses a record cut short, with its length adjusted."""
        message = open_pair()[1].seal(b"text")[2:]
        for length in range(len(message)):
            with pytest.raises(RecordError):
                read_channel(open_pair()[0], [record(message[:length])])

    def test_length_that_does_not_fit(self):
        """A record with too large a length swallows the next record, and the channel refuses it."""
        server, client = open_pair()
        sealed = client.seal(b"text")
        with pytest.raises(RecordError):
            read_channel(server, [flip_bit(sealed, 8) + client.seal(b"more")])

    def test_forged(self):
        """The channel refuses a record made without the connection's keys."""
        with pytest.raises(RecordError):
            read_channel(open_pair()[0], [record(make_frame())])

    def test_messages_before_a_bad_record(self):
        """The plaintext before a bad record is returned first."""
        server, client = open_pair()
        server.receive_data(client.seal(b"text") + record(bytes(20)))
        self.assertEqual(server.next_plaintext(), b"text")
        with pytest.raises(RecordError):
            server.next_plaintext()

    def test_refused_at_the_length(self):
        """The channel refuses a record shorter than a tag at its length, before its message."""
        for length in (0, 1, 15):
            server, _ = open_pair()
            data = record(bytes(length)) + bytes(20)
            self.assertEqual(taken_until(RecordError, server, data), 2)

    def test_handshake_refused_at_the_length(self):
        """The channel refuses a handshake record of another length at its length, on both sides."""
        for length in (0, 47, 49, 65535):
            data = struct.pack(">H", length) + bytes(60)
            self.assertEqual(taken_until(RecordError, new_server(), data), 2)
            self.assertEqual(taken_until(RecordError, new_client(), PREAMBLE + data), 10)

    @some_examples
    @given(st.binary(max_size=200), st.data())
    def test_hostile_bytes(self, data, draw):
        """The channel refuses any hostile bytes as a fault of the peer, or waits for more."""
        for channel in (new_server(), new_client(), *open_pair()):
            with contextlib.suppress(RemoteProtocolError):
                self.assertEqual(read_channel(channel, draw.draw(cuts(data))), b"")


class BadHandshakeTests(SynchronousTestCase):
    def test_client(self):
        """A client with another key than the server reports that, and sends nothing."""
        client = new_client(OTHER_PSK)
        with pytest.raises(WrongKeyError, match="same key file"):
            read_channel(client, [new_server().handshake_to_send()])
        self.assertEqual(client.handshake_to_send(), b"")
        self.assertFalse(client.is_open)

    def test_server(self):
        """A server reports a client whose answer was made with another key."""
        client = new_client(OTHER_PSK)
        read_channel(client, [new_server(OTHER_PSK).handshake_to_send()])
        server = new_server()
        with pytest.raises(WrongKeyError, match="same key file"):
            read_channel(server, [client.handshake_to_send()])
        self.assertFalse(server.is_open)

    def test_every_bit_of_the_handshake(self):
        """Each bit of a handshake record matters: its length, its key and its tag."""
        greeting = new_server().handshake_to_send()
        read_channel(client := new_client(), [greeting])
        answer = client.handshake_to_send()
        for new, data, start in ((new_client, greeting, 10), (new_server, answer, 2)):
            for bit in range(8 * (start - 2), 8 * len(data)):
                error = RecordError if bit < 8 * start else WrongKeyError
                with pytest.raises(error):
                    read_channel(new(), [flip_bit(data, bit)])

    def test_low_order_keys(self):
        """A server that has the key but sends a public key of low order opens no channel."""
        for public in LOW_ORDER_KEYS:
            server, client = new_server(ephemeral=LowOrderKey(public)), new_client()
            with pytest.raises(RecordError, match="low order"):
                read_channel(client, [server.handshake_to_send()])
            self.assertFalse(client.is_open)
            self.assertEqual(client.handshake_to_send(), b"")

    def test_low_order_keys_of_a_client(self):
        """A client that sends a public key of low order opens no channel."""
        for public in LOW_ORDER_KEYS:
            server = new_server()
            with pytest.raises(RemoteProtocolError):
                read_channel(server, [record(public + bytes(16))])
            self.assertFalse(server.is_open)


class UnexpectedServerTests(SynchronousTestCase):
    def test_client_without_a_key(self):
        """A client without a key recognizes a server with a key at its first byte."""
        greeting = new_server().handshake_to_send()
        client = ClearChannel(expects_server=True)
        self.assertEqual(taken_until(KeyRequiredError, client, greeting), 1)
        with pytest.raises(KeyRequiredError, match="--key-file"):
            read_channel(ClearChannel(expects_server=True), [greeting])

    def test_client_with_a_key(self):
        """A client with a key recognizes a server without a key at its first byte."""
        self.assertEqual(taken_until(KeyUnexpectedError, new_client(), FRAME), 1)
        with pytest.raises(KeyUnexpectedError, match="--key-file"):
            read_channel(new_client(), [FRAME])

    def test_no_chatd_server(self):
        """A client, with or without a key, recognizes a foreign server at its first byte."""
        for greeting in (b"SSH-2.0-x\r\n", b"HTTP/1.1 400 Bad\r\n", b"220 mail\r\n", b"\xff"):
            for client in (new_client(), ClearChannel(expects_server=True)):
                with pytest.raises(MagicError, match="not a chatd server"):
                    read_channel(client, [greeting])
            self.assertEqual(taken_until(MagicError, new_client(), greeting), 1)

    def test_every_byte_of_the_preamble(self):
        """The channel refuses a wrong preamble at its first wrong byte."""
        for at in range(1, len(PREAMBLE)):
            greeting = PREAMBLE[:at] + b"?" + PREAMBLE[at + 1 :]
            self.assertEqual(taken_until(MagicError, new_client(), greeting), at + 1)
            with pytest.raises(MagicError):
                read_channel(new_client(), [greeting])

    def test_preamble_of_an_envelope(self):
        """The channel refuses the magic of an envelope, without a frame, as a preamble."""
        with pytest.raises(MagicError):
            read_channel(new_client(), [FRAME[4:]])

    def test_clear_client_at_a_keyed_server(self):
        """A server with a key refuses the frame of a client without a key at its first bytes."""
        self.assertEqual(taken_until(RecordError, new_server(), FRAME), 2)
