"""The Noise handshake ``Noise_NNpsk0_25519_AESGCM_SHA256`` and its cipher states.

It implements this one pattern of the Noise Protocol Framework, revision 34
(https://noiseprotocol.org/noise.html). Section numbers below refer to that document::

    NNpsk0:
      -> psk, e
      <- e, ee

The chatd server is the initiator, and both handshake payloads are empty.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from hmac import digest as hmac_digest
from random import random
from typing import ClassVar
from weakref import ref

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chatd.errors import RecordError

__all__ = [
    "HANDSHAKE_BYTES",
    "MAX_CIPHERS",
    "MAX_NOISE_MESSAGE",
    "PROTOCOL_NAME",
    "TAG_BYTES",
    "CipherState",
    "Handshake",
]

PROTOCOL_NAME = b"Noise_NNpsk0_25519_AESGCM_SHA256"

DH_BYTES = 32
"""Length of an X25519 public key."""
TAG_BYTES = 16
"""Number of bytes that AES-GCM adds to a plaintext."""
HANDSHAKE_BYTES = DH_BYTES + TAG_BYTES
"""Length of either handshake message: a public key and the tag of an empty payload."""
MAX_NOISE_MESSAGE = 65535
"""Longest Noise message (section 3)."""

MAX_CIPHERS = 1_024
"""How many ciphers are kept in a process; each serves one direction of a session."""

_MAX_NONCE = 2**64 - 1  # reserved (section 5.1)
_FIRST_NONCE = bytes(12)  # of each key in a handshake, which encrypts one message at most


class CipherState:
    """A key, and a nonce that increases with each message (section 5.1).

    The nonce is never sent. If a message is replayed, left out or reordered, its receiver decrypts
    it with a different nonce than its sender used, so decryption fails.

    A cipher takes 2.7 KiB, and a microsecond to make. So a state makes it when it is needed, and at
    most `MAX_CIPHERS` states keep theirs. Another state then takes the place of any of them: if it
    took that of the oldest, a room with more members would find none of its ciphers.
    """

    __slots__ = ("__weakref__", "_cipher", "_key", "_nonce")

    _with_cipher: ClassVar[list[ref[CipherState]]] = []

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._nonce = 0
        self._cipher: AESGCM | None = None

    def encrypt(self, plaintext: bytes | memoryview, associated_data: bytes = b"") -> bytes:
        """Encrypt a plaintext; the result is `TAG_BYTES` longer."""
        cipher = self._cipher or self._make_cipher()
        return cipher.encrypt(self._next_nonce(), plaintext, associated_data)

    def encrypt_into(self, plaintext: bytes | memoryview, sealed: memoryview) -> None:
        """Encrypt a plaintext into a buffer that is `TAG_BYTES` longer."""
        cipher = self._cipher or self._make_cipher()
        cipher.encrypt_into(self._next_nonce(), plaintext, None, sealed)

    def decrypt(self, ciphertext: bytes | memoryview, associated_data: bytes = b"") -> bytes:
        """Decrypt a ciphertext.

        Raises:
            RecordError: It was not encrypted with this key and this nonce.
        """
        cipher = self._cipher or self._make_cipher()
        try:
            return cipher.decrypt(self._next_nonce(), ciphertext, associated_data)
        except InvalidTag:
            raise RecordError("a record was replayed, reordered, cut short or forged") from None

    def _next_nonce(self) -> bytes:
        nonce = self._nonce
        if nonce == _MAX_NONCE:
            raise RecordError("the channel's nonces are used up")
        self._nonce = nonce + 1
        return nonce.to_bytes(12, "big")  # 32 zero bits, then 64 bits (section 12.3)

    def _make_cipher(self) -> AESGCM:
        """Make the cipher, and drop that of another state if there are too many."""
        cipher = self._cipher = AESGCM(self._key)
        kept = self._with_cipher
        if len(kept) < MAX_CIPHERS:
            kept.append(ref(self))
            return cipher
        place = int(MAX_CIPHERS * random())  # no secret depends on it
        other, kept[place] = kept[place](), ref(self)
        if other is not None:
            other._cipher = None
        return cipher


class Handshake:
    """One side of the handshake.

    The initiator writes its message, then reads the answer; the responder reads, then writes.

    Args:
        psk: The pre-shared key, 32 bytes.
        prologue: The bytes that both sides saw before the handshake (section 6).
        initiator: Whether this side writes first.
        ephemeral: This side's ephemeral key, for tests; None generates a new key.
    """

    __slots__ = (
        "_chaining_key",
        "_ephemeral",
        "_hash",
        "_key",
        "_remote",
        "is_initiator",
    )

    def __init__(
        self,
        psk: bytes,
        prologue: bytes,
        *,
        initiator: bool,
        ephemeral: X25519PrivateKey | None = None,
    ) -> None:
        self.is_initiator = initiator
        self._ephemeral = ephemeral or X25519PrivateKey.generate()
        self._remote: X25519PublicKey | None = None
        self._chaining_key, self._hash, self._key = _begin(psk, prologue)

    def write_message(self) -> bytes:
        """Return this side's handshake message, `HANDSHAKE_BYTES` long."""
        public = self._ephemeral.public_key().public_bytes_raw()
        self._mix_hash(public)
        self._mix_key(public)  # an `e` token in a PSK handshake (section 9.2)
        if not self.is_initiator:
            self._mix_shared_secret()
        return public + self._encrypt_and_hash(b"")

    def read_message(self, message: bytes) -> None:
        """Read the handshake message of the other side.

        Raises:
            RecordError: It was made with another psk, or is not a handshake message.
        """
        if len(message) != HANDSHAKE_BYTES:
            raise RecordError(f"a handshake message has {HANDSHAKE_BYTES} bytes")
        public = message[:DH_BYTES]
        self._remote = X25519PublicKey.from_public_bytes(public)
        self._mix_hash(public)
        self._mix_key(public)
        if self.is_initiator:
            self._mix_shared_secret()
        self._decrypt_and_hash(message[DH_BYTES:])

    def split(self) -> tuple[CipherState, CipherState]:
        """Return the cipher states for sending and for receiving (section 5.2, Split)."""
        first, second = _hkdf(self._chaining_key, b"", 2)
        if self.is_initiator:
            return CipherState(first), CipherState(second)
        return CipherState(second), CipherState(first)

    def _mix_key(self, material: bytes) -> None:
        self._chaining_key, self._key = _hkdf(self._chaining_key, material, 2)

    def _mix_hash(self, data: bytes) -> None:
        self._hash = sha256(self._hash + data).digest()

    def _mix_shared_secret(self) -> None:
        """Process the `ee` token; refuse a public key of low order, which gives no secret."""
        assert self._remote is not None
        try:
            secret = self._ephemeral.exchange(self._remote)
        except ValueError:
            raise RecordError("the peer's public key is of low order") from None
        self._mix_key(secret)

    def _encrypt_and_hash(self, plaintext: bytes) -> bytes:
        ciphertext = AESGCM(self._key).encrypt(_FIRST_NONCE, plaintext, self._hash)
        self._mix_hash(ciphertext)
        return ciphertext

    def _decrypt_and_hash(self, ciphertext: bytes) -> None:
        try:
            AESGCM(self._key).decrypt(_FIRST_NONCE, ciphertext, self._hash)
        except InvalidTag:
            raise RecordError("the handshake message was made with another key") from None
        self._mix_hash(ciphertext)


@lru_cache(maxsize=2)
def _begin(psk: bytes, prologue: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the initial chaining key, hash and cipher key of a handshake.

    This is InitializeSymmetric (section 5.2; the name is not longer than a hash, so it is padded),
    then the prologue, then MixKeyAndHash for the `psk` token. It is the same for all handshakes
    under a key, so it is computed once.
    """
    name = PROTOCOL_NAME.ljust(32, b"\0")
    chaining_key, to_hash, key = _hkdf(name, psk, 3)
    return chaining_key, sha256(sha256(name + prologue).digest() + to_hash).digest(), key


def _hkdf(chaining_key: bytes, material: bytes, outputs: int) -> tuple[bytes, ...]:
    """Return the outputs of HKDF as Noise defines it (section 4.3)."""
    secret = hmac_digest(chaining_key, material, "sha256")
    result: list[bytes] = []
    previous = b""
    for counter in range(1, outputs + 1):
        previous = hmac_digest(secret, previous + bytes([counter]), "sha256")
        result.append(previous)
    return tuple(result)
