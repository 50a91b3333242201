"""A peer in blocking sockets, written from the protocol's description; chatd is not imported."""

import enum
import hmac
import json
import socket
import struct
import uuid
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from noise.connection import NoiseConnection

MAGIC = b"\x89CHATD\r\n"
PREAMBLE = b"\x89CHATN\r\n"
PATTERN = b"Noise_NNpsk0_25519_AESGCM_SHA256"
NO_KEY = bytes(32)
LENGTH = struct.Struct(">I")
RECORD_LENGTH = struct.Struct(">H")
PRELUDE = struct.Struct(">8sHHIIQI")
MAC_BYTES = 32
MOST_IN_RECORD = 65535 - 16
"""Bytes of plaintext in a Noise message of full length: the rest is its tag."""
TIMEOUT_S = 30.0
"""Time after which a read without an answer fails, in seconds; only a broken daemon needs it."""


class Type(enum.IntEnum):
    """The types of version 1."""

    SESSION_INIT = 1
    SESSION_ACK = 2
    HEARTBEAT = 3
    MESSAGE = 4
    ERROR = 5
    DISCONNECT = 6
    CHUNK = 7
    COMMAND = 8
    RESULT = 9
    EVENT = 10


class Frame(NamedTuple):
    """A decoded frame."""

    type: int
    header: dict[str, Any]
    content: bytes


class Closed(EOFError):
    """The daemon has closed the connection."""


class Refused(Exception):
    """The daemon is not the expected daemon."""


def derive(key: bytes, info: bytes) -> bytes:
    """Derive 32 bytes by HKDF-SHA256 (RFC 5869) without a salt: one block."""
    return hmac.digest(hmac.digest(bytes(32), key, "sha256"), info + b"\x01", "sha256")


def frame(
    type_: int, header: dict[str, Any] | bytes, content: bytes = b"", *, key: bytes = NO_KEY
) -> bytes:
    """Encode one frame, with its length prefix; a header of bytes is used unchanged."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    sums = zlib.crc32(head), zlib.crc32(content)
    prelude = PRELUDE.pack(MAGIC, 1, type_, len(head), sums[0], len(content), sums[1])
    mac = hmac.digest(derive(key, b"chatd v1 envelope mac"), prelude + head + content, "sha256")
    envelope = prelude + mac + head + content
    return LENGTH.pack(len(envelope)) + envelope


def opened(envelope: bytes, *, key: bytes = NO_KEY) -> Frame:
    """Check every field of an envelope, and return its content."""
    magic, version, type_, head_size, head_crc, size, crc = PRELUDE.unpack_from(envelope)
    start = PRELUDE.size + MAC_BYTES
    head, content = envelope[start : start + head_size], envelope[start + head_size :]
    signed = envelope[: PRELUDE.size] + head + content
    mac = hmac.digest(derive(key, b"chatd v1 envelope mac"), signed, "sha256")
    assert magic == MAGIC
    assert version == 1
    assert len(envelope) == start + head_size + size
    assert head_crc == zlib.crc32(head)
    assert crc == zlib.crc32(content)
    assert hmac.compare_digest(mac, envelope[PRELUDE.size : start])
    return Frame(type_, json.loads(head.decode("utf-8")), content)


def connect_unix(path: str) -> socket.socket:
    """Connect to a UNIX socket."""
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(TIMEOUT_S)
    try:
        made.connect(path)
    except BaseException:
        made.close()
        raise
    return made


class Peer:
    """One connection to a daemon.

    Args:
        path: The daemon's UNIX socket.
        key: The shared key, for a daemon with a key; it also turns on the secure channel.
        carrier: Connects to the daemon; what it returns has the methods of a socket.

    Attributes:
        init: The header of SESSION_INIT.
        welcome: The header of the welcome.
        name: The name from the welcome.
    """

    def __init__(
        self, path: str, key: bytes | None = None, carrier: Callable[[str], Any] = connect_unix
    ) -> None:
        self.key = key or NO_KEY
        self.name = ""
        self.init: dict[str, Any] = {}
        self.welcome: dict[str, Any] = {}
        self._arrived = bytearray()
        self._channel: NoiseConnection | None = None
        self.socket = carrier(path)
        try:
            self._meet(key)
        except BaseException:
            self.close()
            raise

    def _meet(self, key: bytes | None) -> None:
        """Find the daemon's kind from the first eight bytes; do the handshake if it has a key."""
        first = self._read(len(PREAMBLE))
        if key is None:
            if first == PREAMBLE:
                raise Refused("the daemon has a key: give it")
            self._arrived += first
            return
        if first != PREAMBLE:
            raise Refused("the daemon has no key: leave it out")
        channel = NoiseConnection.from_name(PATTERN)
        channel.set_as_responder()
        channel.set_prologue(PREAMBLE)
        channel.set_psks(psk=derive(key, b"chatd v1 noise psk"))
        channel.start_handshake()
        try:
            payload = channel.read_message(self._read_record())
        except InvalidTag as error:
            raise Refused("the daemon has another key") from error
        assert not payload
        message = bytes(channel.write_message())
        self.socket.sendall(RECORD_LENGTH.pack(len(message)) + message)
        self._channel = channel

    def close(self) -> None:
        """Close the socket without a goodbye."""
        self.socket.close()

    # Bytes.

    def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            try:
                piece = self.socket.recv(size - len(data))
            except ConnectionResetError as error:
                raise Closed("reset") from error
            if not piece:
                raise Closed(f"{len(data)} bytes of {size}")
            data += piece
        return bytes(data)

    def _read_record(self) -> bytes:
        return self._read(*RECORD_LENGTH.unpack(self._read(RECORD_LENGTH.size)))

    def _take(self, size: int) -> bytes:
        """Return the next bytes of the frame stream, with or without records."""
        while len(self._arrived) < size:
            if self._channel is None:
                self._arrived += self._read(size - len(self._arrived))
            else:
                self._arrived += self._channel.decrypt(self._read_record())
        taken = bytes(self._arrived[:size])
        del self._arrived[:size]
        return taken

    def sealed(self, data: bytes, most: int = MOST_IN_RECORD) -> list[bytes]:
        """Return the bytes that carry a piece of the frame stream, in records with a key."""
        pieces = [data[start : start + most] for start in range(0, len(data), most)]
        if self._channel is None:
            return pieces
        records = [bytes(self._channel.encrypt(piece)) for piece in pieces]
        return [RECORD_LENGTH.pack(len(record)) + record for record in records]

    def write(self, data: bytes) -> None:
        """Send a piece of the frame stream."""
        self.socket.sendall(b"".join(self.sealed(data)))

    # Frames.

    def encoded(self, type_: int, header: dict[str, Any] | bytes, content: bytes = b"") -> bytes:
        """Encode a frame with this peer's key."""
        return frame(type_, header, content, key=self.key)

    def send(self, type_: int, header: dict[str, Any] | bytes, content: bytes = b"") -> None:
        """Send one frame."""
        self.write(self.encoded(type_, header, content))

    def receive(self) -> Frame:
        """Return the next frame, of any type.

        Raises:
            Closed: The daemon has closed the connection.
        """
        (size,) = LENGTH.unpack(self._take(LENGTH.size))
        return opened(self._take(size), key=self.key)

    def expect(self, type_: int, **fields: object) -> Frame:
        """Return the next frame of a type with these header fields.

        Pings are answered meanwhile, and events are skipped: both may come at any time.
        """
        while True:
            got = self.receive()
            if got.type == type_ and fields.items() <= got.header.items():
                return got
            if got.type == Type.HEARTBEAT:
                self.pong(got)
            else:
                assert got.type == Type.EVENT, f"{got} instead of {Type(type_).name} {fields}"

    def pong(self, ping: Frame) -> None:
        """Answer a ping."""
        assert ping.content == b"ping"
        self.send(Type.HEARTBEAT, {"n": ping.header["n"]}, b"pong")

    def rest(self) -> list[Frame]:
        """Return all frames until the daemon closes, except events and heartbeats."""
        frames: list[Any] = []
        while True:
            try:
                got = self.receive()
            except Closed:
                return frames
            if got.type not in {Type.EVENT, Type.HEARTBEAT}:
                frames.append(got)

    # Sessions.

    def begin(self) -> dict[str, Any]:
        """Receive SESSION_INIT, and return its header."""
        got = self.receive()
        assert got.type == Type.SESSION_INIT, got
        self.init = got.header
        assert str(uuid.UUID(self.init["session_id"])) == self.init["session_id"]
        return self.init

    def acknowledge(self, **fields: object) -> None:
        """Send SESSION_ACK."""
        self.send(Type.SESSION_ACK, {"session_id": self.init["session_id"], **fields})

    def establish(self, name: str) -> None:
        """Do the whole handshake of the session."""
        self.begin()
        self.acknowledge(name=name)
        got = self.receive()
        assert got.type == Type.EVENT, got
        assert got.header["event"] == "welcome", got
        self.welcome = got.header
        self.name = got.header["name"]

    def say(self, id_: str, content: bytes = b"", **fields: object) -> Frame:
        """Send a message and wait for its receipt."""
        self.send(Type.MESSAGE, {"id": id_, **fields}, content)
        return self.expect(Type.MESSAGE, id=id_)
