"""`Keyring`: the key that new connections use, and what those that came with another one need."""

from __future__ import annotations

from hmac import compare_digest

from chatd.wire.channel import Channel, ClearChannel, SecureChannel
from chatd.wire.codec import Codec
from chatd.wire.keys import noise_psk

__all__ = ["Keyring", "Resigner"]


class Resigner:
    """Signs frames anew, for connections that came with an earlier key.

    Args:
        codec: The codec of that key.
    """

    __slots__ = ("_codec", "_last", "_signed")

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._last = self._signed = b""

    def __call__(self, frames: bytes) -> bytes:
        """Return whole frames with the earlier key's MACs; those of one room are signed once."""
        if frames is not self._last:
            self._last, self._signed = frames, self._codec.resign(frames)
        return self._signed


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

    def replace(self, key: bytes) -> Resigner | None:
        """Put another key in the place of the one that there is.

        Returns:
            What signs frames for those that came with the key that was; None where it is the same.

        Raises:
            ConfigurationError: The key is not of 32 bytes.
        """
        psk, codec = noise_psk(key), Codec(key, max_content=self.codec.max_content)
        assert self._psk is not None, "without a key there is none to replace"
        if compare_digest(psk, self._psk):
            return None
        resigner = Resigner(self.codec)
        self.codec, self._psk = codec, psk
        return resigner
