"""`Keyring`: the key that new connections use."""

from __future__ import annotations

from hmac import compare_digest

from chatd.wire.channel import Channel, ClearChannel, SecureChannel
from chatd.wire.codec import Codec
from chatd.wire.keys import noise_psk

__all__ = ["Keyring"]


class Keyring:
    """The server's codec, and its key of encryption.

    Args:
        key: The shared key, 32 bytes; None for no key.
        max_content: Longest content of a message, in bytes.

    Attributes:
        codec: The codec with the key.

    Raises:
        ConfigurationError: The key does not have 32 bytes, or the limit is out of its range.
    """

    def __init__(self, key: bytes | None, max_content: int) -> None:
        self.codec = Codec(key, max_content=max_content)
        self._psk = None if key is None else noise_psk(key)

    @property
    def has_key(self) -> bool:
        """Whether there is a key, so that everything is encrypted."""
        return self._psk is not None

    def new_channel(self) -> Channel:
        """Return the server's end of a new channel."""
        return ClearChannel() if self._psk is None else SecureChannel(self._psk, initiator=True)

    def replace(self, key: bytes) -> None:
        """Replace the key; the same key again changes nothing.

        Raises:
            ConfigurationError: The key does not have 32 bytes.
        """
        psk, codec = noise_psk(key), Codec(key, max_content=self.codec.max_content)
        assert self._psk is not None, "there is no key to replace"
        if not compare_digest(psk, self._psk):
            self.codec, self._psk = codec, psk
