"""Large envelopes: hashed a piece at a time, so that nothing else waits for all of their bytes.

`LargeArrival` hashes an envelope while it arrives. `LargeFrame` hashes a frame to send in steps,
and its owner does other work between them. The bytes and the checks are those of `EnvelopeSealer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from hmac import compare_digest
from io import BytesIO
from struct import Struct
from typing import TYPE_CHECKING

from chatd.errors import ChecksumError, SignatureError
from chatd.wire.checksum import crc32
from chatd.wire.envelope import ENVELOPE_BYTES, MAC_BYTES, EnvelopeSealer
from chatd.wire.frames import LENGTH, LENGTH_BYTES

if TYPE_CHECKING:
    from _hashlib import HASH
    from typing import TypeAlias

__all__ = [
    "LARGE_CONTENT",
    "Frame",
    "LargeArrival",
    "LargeFrame",
    "gather_if_large",
    "seal_small",
]

LARGE_CONTENT = 256 * 1024
"""A message with at least this many bytes of content is hashed in steps: as it arrives, and before
a server sends it to a room."""

_HEADER_START = LENGTH_BYTES + ENVELOPE_BYTES
_MAC_START = _HEADER_START - MAC_BYTES
_CONTENT_FIELDS = Struct(">QI")  # the content's length and its CRC32, before the MAC


def seal_small(
    sealer: EnvelopeSealer, parts: Sequence[tuple[int, bytes, bytes]]
) -> Sequence[Frame]:
    """Return a frame for each type, header and content, not sealed yet if the content is large.

    Raises:
        LocalProtocolError: See `EnvelopeSealer.seal`.
    """
    for _, _, content in parts:
        if len(content) >= LARGE_CONTENT:
            return [
                LargeFrame(sealer, *each) if len(each[2]) >= LARGE_CONTENT else sealer.seal(*each)
                for each in parts
            ]
    return sealer.seal_run(parts)


def gather_if_large(
    sealer: EnvelopeSealer, prelude: tuple[int, int, int, int], length: int
) -> LargeArrival | None:
    """Return an object to gather an incomplete frame; None if the frame is not large.

    Args:
        sealer: Has the MAC key.
        prelude: The result of `check_prelude`.
        length: The frame's length, without its prefix.
    """
    return LargeArrival(sealer, prelude, length) if length >= LARGE_CONTENT else None


class LargeArrival:
    """Gathers a large frame, and hashes it while it arrives; see `Gathering`.

    Args:
        sealer: Has the MAC key.
        prelude: The result of `check_prelude`.
        length: The frame's length, without its prefix.

    Attributes:
        rest: The bytes taken that follow the frame.
    """

    __slots__ = ("_content", "_crc", "_inner", "_missing", "_prelude", "_sealer", "_start", "rest")

    def __init__(
        self, sealer: EnvelopeSealer, prelude: tuple[int, int, int, int], length: int
    ) -> None:
        self._sealer = sealer
        self._prelude = prelude
        self._missing = LENGTH_BYTES + length
        self._start = bytearray()  # all before the content
        self._content = BytesIO()  # its value is taken without a copy
        self._crc = 0
        self._inner: HASH | None = None
        self.rest = b""

    def __len__(self) -> int:
        """Return the number of bytes taken."""
        return len(self._start) + self._content.tell() + len(self.rest)

    @property
    def is_complete(self) -> bool:
        """Whether the whole frame was taken."""
        return not self._missing

    def take(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the stream."""
        view = memoryview(data)
        if len(view) > self._missing:
            self.rest += view[self._missing :]
            view = view[: self._missing]
        self._missing -= len(view)
        if self._inner is None:
            content_start = _HEADER_START + self._prelude[1]
            start = view[: content_start - len(self._start)]
            view = view[len(start) :]
            self._start += start
            if len(self._start) == content_start:
                self._inner = self._sealer.begin_mac()
                self._inner.update(self._start[LENGTH_BYTES:_MAC_START])
                self._inner.update(self._start[_HEADER_START:])
        if view:
            assert self._inner is not None
            self._inner.update(view)
            self._crc = crc32(view, self._crc)
            self._content.write(view)

    def open(self) -> tuple[int, bytes, bytes]:
        """Check the complete envelope; returns and raises the same as `EnvelopeSealer.open`."""
        message_type, _, header_crc, content_crc = self._prelude
        header = bytes(self._start[_HEADER_START:])
        if crc32(header) != header_crc:
            raise ChecksumError("the header is damaged")
        if self._crc != content_crc:
            raise ChecksumError("the content is damaged")
        assert self._inner is not None
        mac = self._sealer.end_mac(self._inner)
        if not compare_digest(mac, self._start[_MAC_START:_HEADER_START]):
            raise SignatureError("the signature does not match: another key, or a forgery")
        return message_type, header, self._content.getvalue()


class LargeFrame:
    """A frame to send that is sealed in steps.

    Args:
        sealer: Has the MAC key.
        message_type: The message type.
        header: The header's bytes.
        content: The content, at least 1 byte.

    Raises:
        LocalProtocolError: See `EnvelopeSealer.seal`.
    """

    __slots__ = ("_content", "_crc", "_inner", "_length", "_position", "_sealer", "_start")

    def __init__(
        self, sealer: EnvelopeSealer, message_type: int, header: bytes, content: bytes
    ) -> None:
        # The frame without its content; the last steps set its lengths, its checksum and its MAC.
        self._start = bytearray(sealer.seal(message_type, header, b""))
        self._length = len(self._start) + len(content)
        self._sealer = sealer
        self._content = content
        self._crc = 0
        self._position = 0
        self._inner: HASH | None = None

    def __len__(self) -> int:
        """Return the number of bytes of the frame, with its length prefix."""
        return self._length

    @property
    def work(self) -> int:
        """The number of bytes to hash in the steps that are left; 0 if the frame is sealed."""
        passes = 2 if self._inner is None else 1
        return passes * len(self._content) - self._position

    def seal_some(self, most: int) -> int:
        """Do the next step: hash some bytes, first for the checksum, then for the MAC.

        Args:
            most: The most bytes to hash, at least 1.

        Returns:
            The number of bytes that were hashed; 0 if the frame was sealed before.
        """
        piece = memoryview(self._content)[self._position : self._position + most]
        self._position += len(piece)
        is_last = self._position == len(self._content)
        if self._inner is None:
            self._crc = crc32(piece, self._crc)
            if is_last:
                self._begin_mac()
        elif piece:
            self._inner.update(piece)
            if is_last:
                self._start[_MAC_START:_HEADER_START] = self._sealer.end_mac(self._inner)
        return len(piece)

    def sealed(self) -> tuple[bytes, bytes]:
        """Do all steps that are left, and return the frame: all before its content, its content."""
        while self.work:
            self.seal_some(self._length)
        return bytes(self._start), self._content

    def _begin_mac(self) -> None:
        start, content_length = self._start, len(self._content)
        LENGTH.pack_into(start, 0, self._length - LENGTH_BYTES)
        _CONTENT_FIELDS.pack_into(
            start, _MAC_START - _CONTENT_FIELDS.size, content_length, self._crc
        )
        self._inner = self._sealer.begin_mac()
        self._inner.update(start[LENGTH_BYTES:_MAC_START])
        self._inner.update(start[_HEADER_START:])
        self._position = 0


Frame: TypeAlias = "bytes | LargeFrame"
"""One or more complete frames, or a large frame that may not be sealed yet."""
