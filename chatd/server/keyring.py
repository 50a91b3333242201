"""`Keyring`: the key that new connections use."""

from __future__ import annotations

from hmac import compare_digest

from chatd.wire.channel import Channel, ClearChannel, SecureChannel
from chatd.wire.codec import Codec
from chatd.wire.keys import noise_psk

__all__ = ["Keyring"]


class Keyring:
    """What a server encodes and encrypts with.

    Args:
        key: The shared key, 32 bytes; None for none.
        max_content: Longest content of a message, in bytes.

    Attributes:
        codec: The codec of the key.

    Raises:
        ConfigurationError: The key is not of 32 bytes, or the limit out of its range.
    """

    def __init__(self, key: bytes | None, max_content: int) -> None:
        self.codec = Codec(key, max_content=max_content)
        self._psk = None if key is None else noise_psk(key)

    @property
    def has_key(self) -> bool:
        """Whether there is a key, and everything is encrypted."""
        return self._psk is not None

    def new_channel(self) -> Channel:
        """Return the server's end of a channel."""
        return ClearChannel() if self._psk is None else SecureChannel(self._psk, initiator=True)

    def replace(self, key: bytes) -> None:
        """Put another key in the place of the one that there is; the same one changes nothing.

        Raises:
            ConfigurationError: The key is not of 32 bytes.
        """
        psk, codec = noise_psk(key), Codec(key, max_content=self.codec.max_content)
        assert self._psk is not None, "without a key there is none to replace"
        if not compare_digest(psk, self._psk):
            self.codec, self._psk = codec, psk
