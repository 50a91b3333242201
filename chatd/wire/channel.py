"""The channel: the layer between the transport and the stream of frames.

`ClearChannel` passes bytes on; `SecureChannel` carries them in encrypted records, after a Noise
handshake under the shared key. Both are used the same way: feed `receive_data`, call
`next_plaintext` until it returns nothing, send the bytes that `handshake_to_send` and `seal`
return.

The server always speaks first, so both sides see at once whether the other has a key:

- with a key, the server sends the preamble ``89 43 48 41 54 4E 0D 0A``, then records;
- without a key, it sends a frame at once.

A record is a 2-byte unsigned big-endian length, then one Noise message of at most 65,535 bytes.
The first record of each side is its handshake message. Every later record is a transport message;
its plaintext is a piece of the stream of frames.
"""

from __future__ import annotations

from struct import Struct
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from chatd.errors import (
    KeyRequiredError,
    KeyUnexpectedError,
    MagicError,
    RecordError,
    WrongKeyError,
)
from chatd.wire.foreign import describe_foreign
from chatd.wire.noise import HANDSHAKE_BYTES, MAX_NOISE_MESSAGE, TAG_BYTES, CipherState, Handshake

__all__ = ["PREAMBLE", "Channel", "ClearChannel", "SecureChannel", "sealed_length"]

PREAMBLE = b"\x89CHATN\r\n"
"""The first bytes of a server with a key, and the prologue of the handshake."""

RECORD_LENGTH = Struct(">H")
RECORD_LENGTH_BYTES = RECORD_LENGTH.size
MAX_RECORD_PLAINTEXT = MAX_NOISE_MESSAGE - TAG_BYTES

_NO_SERVER = "the other side is not a chatd server"


def sealed_length(plaintext_length: int) -> int:
    """Return the largest number of bytes that a plaintext of this length takes when sealed."""
    records = -(-plaintext_length // MAX_RECORD_PLAINTEXT)
    return plaintext_length + records * (RECORD_LENGTH_BYTES + TAG_BYTES)


class Channel(Protocol):
    """The interface of both channels, as a connection uses it."""

    @property
    def is_open(self) -> bool:
        """Whether frames can be sealed."""

    @property
    def is_empty(self) -> bool:
        """Whether no incomplete record is held."""

    def handshake_to_send(self) -> bytes:
        """Return, once, the bytes to send before anything sealed."""

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the transport."""

    @property
    def held_bytes(self) -> int:
        """Number of received bytes that are not processed yet."""

    def discard(self) -> None:
        """Drop the received bytes that are not processed yet."""

    def close(self) -> None:
        """Forget the keys: the connection has ended, but this object may live on for a while."""

    def next_plaintext(self) -> bytes:
        """Return the next piece of the stream of frames, or nothing until more arrives.

        Raises:
            RecordError: A record cannot be decrypted.
            KeyMismatchError: The other side does not have the same key.
            MagicError: The other side is not a chatd server.
        """

    def seal(self, plaintext: bytes) -> bytes:
        """Return the bytes to send for a piece of the stream of frames."""

    def seal_into(self, plaintext: bytes | memoryview, buffer: memoryview) -> bytes | memoryview:
        """Do the same as `seal`, in a buffer of the caller.

        Args:
            plaintext: The piece.
            buffer: At least `sealed_length(len(plaintext))` bytes long.

        Returns:
            The bytes to send; they may lie in `buffer`.
        """


class ClearChannel:
    """Carries the stream of frames unchanged.

    Args:
        expects_server: Whether the other side is a server. Its first byte must then begin a
            frame, not a preamble.
    """

    __slots__ = ("_data", "_expects_server")

    is_open = True
    is_empty = True

    def __init__(self, *, expects_server: bool = False) -> None:
        self._data = b""
        self._expects_server = expects_server

    def handshake_to_send(self) -> bytes:
        """Return no bytes: there is no handshake."""
        return b""

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the transport; they stay here until `next_plaintext` returns them."""
        self._data = self._data + data if self._data else data

    @property
    def held_bytes(self) -> int:
        """Number of received bytes that are not processed yet."""
        return len(self._data)

    def discard(self) -> None:
        """Drop the received bytes that are not processed yet."""
        self._data = b""

    def close(self) -> None:
        """Do nothing: there are no keys."""

    def next_plaintext(self) -> bytes:
        """Return the received bytes.

        Raises:
            KeyRequiredError: The server began with a preamble: it has a key.
            MagicError: The server began with neither a preamble nor a frame.
        """
        data, self._data = self._data, b""
        if self._expects_server and data:
            if data[0] == PREAMBLE[0]:
                raise KeyRequiredError
            if data[0] != 0:  # the length of a greeting is less than 16 MiB
                raise MagicError(_NO_SERVER)
            self._expects_server = False
        return data

    def seal(self, plaintext: bytes) -> bytes:
        """Return the plaintext."""
        return plaintext

    def seal_into(self, plaintext: bytes | memoryview, buffer: memoryview) -> bytes | memoryview:
        """Return the plaintext."""
        return plaintext


class SecureChannel:
    """Carries the stream of frames in records that only the other side can decrypt.

    Args:
        psk: The key from `chatd.wire.keys.noise_psk`.
        initiator: Whether this side is the server.
        ephemeral: See `Handshake`.
    """

    __slots__ = (
        "_buffer",
        "_handshake",
        "_offset",
        "_preamble_due",
        "_receiving",
        "_sending",
        "_to_send",
    )

    def __init__(
        self, psk: bytes, *, initiator: bool, ephemeral: X25519PrivateKey | None = None
    ) -> None:
        self._handshake: Handshake | None = Handshake(
            psk, PREAMBLE, initiator=initiator, ephemeral=ephemeral
        )
        self._sending: CipherState | None = None
        self._receiving: CipherState | None = None
        self._buffer = b""
        self._offset = 0
        self._preamble_due = not initiator
        self._to_send = PREAMBLE + self._handshake_record() if initiator else b""

    @property
    def is_open(self) -> bool:
        """Whether the handshake is complete."""
        return self._sending is not None

    @property
    def is_empty(self) -> bool:
        """Whether no incomplete record is held."""
        return self._offset == len(self._buffer)

    def handshake_to_send(self) -> bytes:
        """Return, once, the handshake bytes of this side."""
        data, self._to_send = self._to_send, b""
        return data

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the transport; an incomplete record stays here, at most 64 KiB."""
        if self._offset < len(self._buffer):
            data = self._buffer[self._offset :] + data
        self._buffer = data
        self._offset = 0

    @property
    def held_bytes(self) -> int:
        """Number of received bytes that are not processed yet."""
        return len(self._buffer) - self._offset

    def discard(self) -> None:
        """Drop the received bytes that are not processed yet."""
        self._buffer, self._offset = b"", 0

    def close(self) -> None:
        """Forget the keys; then the channel is not open."""
        self._handshake = self._sending = self._receiving = None

    def next_plaintext(self) -> bytes:
        """Return the plaintext of the next complete, non-empty record, or no bytes.

        Raises:
            RecordError: A record cannot be decrypted.
            KeyMismatchError: The other side does not have the same key.
            MagicError: The other side is not a chatd server.
        """
        if self._preamble_due and not self._read_preamble():
            return b""
        while self._offset < len(self._buffer):
            record = self._next_record()
            if record is None:
                return b""
            if self._receiving is None:
                self._finish_handshake(bytes(record))
            elif plaintext := self._receiving.decrypt(record):
                return plaintext
        self._buffer, self._offset = b"", 0  # an idle connection holds no memory for them
        return b""

    def seal(self, plaintext: bytes) -> bytes:
        """Return the records that carry `plaintext`; call it only after the handshake."""
        buffer = bytearray(sealed_length(len(plaintext)))
        return bytes(self.seal_into(plaintext, memoryview(buffer)))

    def seal_into(self, plaintext: bytes | memoryview, buffer: memoryview) -> memoryview:
        """Do the same as `seal`, in a buffer of the caller."""
        sending = self._sending
        assert sending is not None, "nothing can be sealed before the handshake is complete"
        position, total = 0, len(plaintext)
        for first in range(0, total, MAX_RECORD_PLAINTEXT):
            piece = plaintext
            if total > MAX_RECORD_PLAINTEXT:
                piece = memoryview(plaintext)[first : first + MAX_RECORD_PLAINTEXT]
            length = len(piece) + TAG_BYTES
            RECORD_LENGTH.pack_into(buffer, position, length)
            start = position + RECORD_LENGTH_BYTES
            position = start + length
            sending.encrypt_into(piece, buffer[start:position])
        return buffer[:position]

    def _read_preamble(self) -> bool:
        """Check the server's first bytes as they come; return whether the preamble is complete."""
        received = self._buffer[: len(PREAMBLE)]
        if not PREAMBLE.startswith(received):
            if received[0] == 0:  # the length of a frame: the server has no key
                raise KeyUnexpectedError
            raise MagicError(_NO_SERVER)
        if len(received) < len(PREAMBLE):
            return False
        self._offset = len(PREAMBLE)
        self._preamble_due = False
        return True

    def _next_record(self) -> memoryview | None:
        buffer, available = self._buffer, len(self._buffer)
        start = self._offset + RECORD_LENGTH_BYTES
        if start > available:
            return None
        (length,) = RECORD_LENGTH.unpack_from(buffer, self._offset)
        if self._receiving is None and length != HANDSHAKE_BYTES:
            raise RecordError(
                f"a handshake record has {HANDSHAKE_BYTES} bytes, not {length}"
                f"{describe_foreign(buffer, self._offset)}"
            )
        if length < TAG_BYTES:
            raise RecordError(f"a record has at least {TAG_BYTES} bytes, not {length}")
        end = start + length
        if end > available:
            return None
        self._offset = end
        return memoryview(buffer)[start:end]

    def _finish_handshake(self, message: bytes) -> None:
        handshake = self._handshake
        assert handshake is not None
        try:
            handshake.read_message(message)
        except RecordError as error:
            raise WrongKeyError from error
        if not handshake.is_initiator:
            self._to_send = self._handshake_record()
        self._sending, self._receiving = handshake.split()
        self._handshake = None

    def _handshake_record(self) -> bytes:
        assert self._handshake is not None
        message = self._handshake.write_message()
        return RECORD_LENGTH.pack(len(message)) + message
