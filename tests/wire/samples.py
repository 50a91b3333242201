"""Shared parts of the wire's tests: keys, frames made by hand, and ways to cut a stream.

The code under test makes none of the expected values: the frames are made with the standard
library, and the other side of a handshake with another implementation of Noise.
"""

from __future__ import annotations

import hmac
import struct
import warnings
from zlib import crc32

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import settings
from hypothesis import strategies as st
from noise.connection import Keypair, NoiseConnection

from chatd.wire.channel import SecureChannel

KEY = bytes(range(32))
OTHER_KEY = bytes(range(32, 64))
NO_KEY = bytes(32)
MAGIC = b"\x89CHATD\r\n"
PREAMBLE = b"\x89CHATN\r\n"
NOISE_NAME = b"Noise_NNpsk0_25519_AESGCM_SHA256"
HEADER = b'{"id":"m1"}'

some_examples = settings(max_examples=60)

SERVER_EPHEMERAL = X25519PrivateKey.from_private_bytes(b"server's secret, 32 bytes long..")
CLIENT_EPHEMERAL = X25519PrivateKey.from_private_bytes(b"client's secret, 32 bytes long..")

# The points of order 1, 2, 4 and 8 (https://cr.yp.to/ecdh.html#validate), and two that are not
# reduced: X25519 with any of them gives zero bytes.
LOW_ORDER_KEYS = [
    bytes(32),
    b"\1" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    b"\xec" + 30 * b"\xff" + b"\x7f",
    b"\xed" + 30 * b"\xff" + b"\x7f",
    b"\xee" + 30 * b"\xff" + b"\x7f",
]


class LowOrderKey:
    """A private key with a given public key."""

    def __init__(self, public):
        self.public = public

    def public_key(self):
        return self

    def public_bytes_raw(self):
        return self.public


def derive(key, info):
    """Return one block of HKDF-SHA256 without a salt (RFC 5869)."""
    secret = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(secret, info + b"\x01", "sha256")


PSK = derive(KEY, b"chatd v1 noise psk")
OTHER_PSK = derive(OTHER_KEY, b"chatd v1 noise psk")


def sign(key, data):
    """Return the MAC of an envelope's bytes under a shared key."""
    return hmac.digest(derive(key, b"chatd v1 envelope mac"), data, "sha256")


def make_frame(message_type=4, header=HEADER, content=b"hello", *, key=KEY, **fields):
    """Return a frame with the given fields; the MAC covers them unless a MAC is given too."""
    field = {
        "magic": MAGIC,
        "version": 1,
        "header_length": len(header),
        "header_crc": crc32(header),
        "content_length": len(content),
        "content_crc": crc32(content),
        "length": 64 + len(header) + len(content),
        **fields,
    }
    prelude = struct.pack(
        ">8sHHIIQI",
        field["magic"],
        field["version"],
        message_type,
        field["header_length"],
        field["header_crc"],
        field["content_length"],
        field["content_crc"],
    )
    mac = field.get("mac", sign(key, prelude + header + content))
    return struct.pack(">I", field["length"]) + prelude + mac + header + content


def raw_frame(message_type, header, content=b"", key=None):
    """Return a frame signed with a key, or with the public key of 32 zero bytes."""
    return make_frame(message_type, header, content, key=key or NO_KEY)


def byte_by_byte(data):
    """Return the single bytes of `data`."""
    return [data[at : at + 1] for at in range(len(data))]


def in_pieces(data, size=None):
    """Return pieces of `data` of `size` bytes, or all of it if there is no size."""
    step = size or max(len(data), 1)
    return [data[at : at + step] for at in range(0, len(data), step)]


def cuts(data):
    """Draw pieces of `data`, some of them empty."""
    places = st.lists(st.integers(0, len(data)), max_size=12).map(sorted)
    return places.map(
        lambda at: [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)]
    )


def bytes_until_refused(read, data, error):
    """Feed `read` single bytes; return the number of bytes until it raises `error`."""
    for count, byte in enumerate(byte_by_byte(data), 1):
        try:
            result = read([byte])
        except error:
            return count
        assert not result
    raise AssertionError(f"no {error.__name__} in {len(data)} bytes")


def other_noise(psk, *, initiator, ephemeral=None, prologue=PREAMBLE):
    """Return a handshake of the other implementation, started."""
    connection = NoiseConnection.from_name(NOISE_NAME)
    connection.set_psks(psk=psk)
    connection.set_prologue(prologue)
    if initiator:
        connection.set_as_initiator()
    else:
        connection.set_as_responder()
    if ephemeral is not None:
        private = ephemeral.private_bytes_raw()
        connection.set_keypair_from_private_bytes(Keypair.EPHEMERAL, private)
    with warnings.catch_warnings():
        # It warns about fixed ephemeral keys, which the tests need.
        warnings.simplefilter("ignore", UserWarning)
        connection.start_handshake()
    return connection


def record(message):
    """Return a Noise message with its length before it."""
    return struct.pack(">H", len(message)) + message


def new_server(psk=PSK, **options):
    """Return the channel of a server with a known ephemeral key."""
    return SecureChannel(psk, initiator=True, **{"ephemeral": SERVER_EPHEMERAL, **options})


def new_client(psk=PSK, **options):
    """Return the channel of a client with a known ephemeral key."""
    return SecureChannel(psk, initiator=False, **{"ephemeral": CLIENT_EPHEMERAL, **options})


def read_channel(channel, pieces):
    """Feed pieces to a channel, and return the plaintext in them."""
    plaintexts = []
    for piece in pieces:
        channel.receive_data(piece)
        while plaintext := channel.next_plaintext():
            plaintexts.append(plaintext)
    return b"".join(plaintexts)


def open_pair():
    """Return the channels of a server and a client after their handshake."""
    server, client = new_server(), new_client()
    read_channel(client, [server.handshake_to_send()])
    read_channel(server, [client.handshake_to_send()])
    return server, client
