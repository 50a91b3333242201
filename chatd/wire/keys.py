"""The keys derived from the shared key (RFC 5869, HKDF-SHA256)."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chatd.arguments import check_type
from chatd.errors import ConfigurationError

__all__ = ["KEY_BYTES", "mac_key", "noise_psk"]

KEY_BYTES = 32
"""Length of the shared key and of every key derived from it, in bytes."""

_NO_KEY = bytes(KEY_BYTES)


def mac_key(key: bytes | None) -> bytes:
    """Derive the key of the envelopes' HMAC.

    Args:
        key: The shared key, 32 bytes. `None` stands for 32 zero bytes: the MAC then shows damage,
            but does not prove who sent the envelope.
    """
    return _derive(_NO_KEY if key is None else key, b"chatd v1 envelope mac")


def noise_psk(key: bytes) -> bytes:
    """Derive the pre-shared key of the secure channel's Noise handshake."""
    return _derive(key, b"chatd v1 noise psk")


def _derive(key: bytes, info: bytes) -> bytes:
    check_type("the key", key, bytes, f"{KEY_BYTES} bytes, as chatd.load_key returns them")
    if len(key) != KEY_BYTES:
        hint = "chatd.load_key reads one from a key file"
        raise ConfigurationError(f"a key has {KEY_BYTES} bytes, not {len(key)}: {hint}")
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(key)
