"""The envelope: the content of a frame.

======  ====  =====================================================
offset  size  field
======  ====  =====================================================
0       8     magic ``89 43 48 41 54 44 0D 0A``
8       2     version, 1
10      2     message type
12      4     header length H
16      4     CRC32 of the header bytes
20      8     content length C
28      4     CRC32 of the content bytes
32      32    HMAC-SHA256 over bytes 0-31, header, content
64      H     header: one JSON object, UTF-8
64+H    C     content: bytes
======  ====  =====================================================

All integers are unsigned and big-endian. The order of the checks is: length, magic, version,
lengths, CRC (corruption), MAC (forgery). `chatd.wire.codec` checks the JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from hmac import compare_digest
from struct import Struct
from struct import error as StructError
from typing import TYPE_CHECKING

from chatd.errors import (
    ChecksumError,
    FrameLengthError,
    FrameTooLargeError,
    LocalProtocolError,
    MagicError,
    SignatureError,
    VersionError,
)
from chatd.wire.checksum import crc32
from chatd.wire.frames import LENGTH_BYTES

if TYPE_CHECKING:
    from _hashlib import HASH

__all__ = [
    "ENVELOPE_BYTES",
    "MAGIC",
    "MAX_CONTENT",
    "MAX_HEADER",
    "VERSION",
    "EnvelopeSealer",
    "check_prelude",
]

MAGIC = b"\x89CHATD\r\n"
"""First bytes of an envelope; as in PNG, the high bit and the line end reveal text conversion."""
VERSION = 1

MAX_HEADER = 64 * 1024
"""Longest header, in bytes."""
MAX_CONTENT = 10 * 1024 * 1024
"""Longest content, in bytes, unless the operator sets another limit."""

PRELUDE = Struct(">8sHHIIQI")
PRELUDE_BYTES = PRELUDE.size
MAC_BYTES = 32
ENVELOPE_BYTES = PRELUDE_BYTES + MAC_BYTES
"""Length of an envelope without its header and content, in bytes."""

_unpack_prelude = PRELUDE.unpack_from
_pack_kind = Struct(">8sHH").pack
_unpack_frame_prelude = Struct(">I12sIIQI").unpack_from  # magic, version and type as one
_FRAME_PREFIX_BYTES = LENGTH_BYTES + ENVELOPE_BYTES
_pack_frame_prelude = Struct(">I8sHHIIQI").pack
_SHA256_BLOCK_BYTES = 64


def check_prelude(
    buffer: bytes, start: int, length: int, max_content: int
) -> tuple[int, int, int, int]:
    """Check the first bytes of an envelope: length, magic, version, lengths.

    Args:
        buffer: Holds at least the first 64 bytes of the envelope, or a whole shorter envelope.
        start: Offset of the envelope in `buffer`.
        length: The envelope's length, as its frame announces it.
        max_content: Longest content accepted, in bytes.

    Returns:
        The message type, the header's length and CRC32, and the content's CRC32.

    Raises:
        FrameLengthError: The frame is too short for an envelope, or lengths contradict each other.
        MagicError: The envelope does not begin with `MAGIC`.
        VersionError: The envelope has another version.
        FrameTooLargeError: The header or the content exceeds its limit.
    """
    if length < ENVELOPE_BYTES:
        raise FrameLengthError(f"an envelope has at least {ENVELOPE_BYTES} bytes, not {length}")
    magic, version, message_type, header_length, header_crc, content_length, content_crc = (
        _unpack_prelude(buffer, start)
    )
    if magic != MAGIC:
        raise MagicError("not a chatd envelope")
    if version != VERSION:
        raise VersionError(f"version {version} is not supported, only {VERSION}")
    if ENVELOPE_BYTES + header_length + content_length != length:
        raise FrameLengthError("the header and content lengths do not match the frame length")
    if header_length > MAX_HEADER:
        raise FrameTooLargeError(f"header of {header_length} bytes exceeds {MAX_HEADER}")
    if content_length > max_content:
        raise FrameTooLargeError(f"content of {content_length} bytes exceeds {max_content}")
    return message_type, header_length, header_crc, content_crc


class EnvelopeSealer:
    """Makes and checks envelopes under one MAC key.

    This class computes HMAC-SHA256 step by step (RFC 2104), from two hash states that it makes once
    from the key and copies for each envelope. `hmac.new` would hash the key each time.

    Args:
        mac_key: 32 bytes, from `chatd.wire.keys.mac_key`.
    """

    __slots__ = ("_begin_inner", "_begin_outer")

    def __init__(self, mac_key: bytes) -> None:
        block = mac_key.ljust(_SHA256_BLOCK_BYTES, b"\0")
        self._begin_inner = sha256(bytes(byte ^ 0x36 for byte in block)).copy
        self._begin_outer = sha256(bytes(byte ^ 0x5C for byte in block)).copy

    def seal(self, message_type: int, header: bytes, content: bytes) -> bytes:
        """Return a frame: length prefix, prelude, MAC, header, content.

        Raises:
            LocalProtocolError: The header exceeds `MAX_HEADER`, or the type exceeds 16 bits.
        """
        return self.seal_run(((message_type, header, content),))[0]

    def seal_run(self, parts: Iterable[tuple[int, bytes, bytes]]) -> list[bytes]:
        """Return a frame for each type, header and content; raises the same as `seal`."""
        begin_inner, begin_outer = self._begin_inner, self._begin_outer
        frames: list[bytes] = []
        for message_type, header, content in parts:
            header_length, content_length = len(header), len(content)
            if header_length > MAX_HEADER:
                raise LocalProtocolError(f"header of {header_length} bytes exceeds {MAX_HEADER}")
            try:
                prelude = _pack_frame_prelude(
                    ENVELOPE_BYTES + header_length + content_length,
                    MAGIC,
                    VERSION,
                    message_type,
                    header_length,
                    crc32(header),
                    content_length,
                    crc32(content),
                )
            except StructError as error:
                text = f"type {message_type} cannot be sent: {error}"
                raise LocalProtocolError(text) from error
            inner = begin_inner()
            inner.update(prelude[4:])
            inner.update(header)
            inner.update(content)
            outer = begin_outer()
            outer.update(inner.digest())
            frames.append(b"".join((prelude, outer.digest(), header, content)))
        return frames

    def begin_mac(self) -> HASH:
        """Return the hash state that takes the prelude, the header and the content."""
        return self._begin_inner()

    def end_mac(self, inner: HASH) -> bytes:
        """Return the MAC of the bytes that a state from `begin_mac` took."""
        outer = self._begin_outer()
        outer.update(inner.digest())
        return outer.digest()

    def open_run(
        self, buffer: bytes, start: int, message_type: int, max_content: int
    ) -> Iterator[tuple[bytes, bytes, int]]:
        """Yield the parts of the frames of one type that follow each other, as `open` checks them.

        The run ends before the first frame that is incomplete, of another type or faulty; `open`
        names its fault.

        Args:
            buffer: The received bytes.
            start: Offset of the first frame's length prefix in `buffer`.
            message_type: The type.
            max_content: Longest content accepted, in bytes.

        Yields:
            The header's bytes, the content, and the offset of the frame's end.
        """
        begin_inner, begin_outer = self._begin_inner, self._begin_outer
        wanted = _pack_kind(MAGIC, VERSION, message_type)
        available = len(buffer)
        view = memoryview(buffer)
        while (header_start := start + _FRAME_PREFIX_BYTES) <= available:
            length, kind, header_length, header_crc, content_length, content_crc = (
                _unpack_frame_prelude(buffer, start)
            )
            content_start = header_start + header_length
            end = content_start + content_length
            if kind != wanted or end > available or length != end - start - LENGTH_BYTES:
                return
            if header_length > MAX_HEADER or content_length > max_content:
                return
            header, content = buffer[header_start:content_start], buffer[content_start:end]
            if crc32(header) != header_crc or crc32(content) != content_crc:
                return
            mac_start = header_start - MAC_BYTES
            inner = begin_inner()
            inner.update(view[start + LENGTH_BYTES : mac_start])
            inner.update(view[header_start:end])
            outer = begin_outer()
            outer.update(inner.digest())
            if not compare_digest(outer.digest(), view[mac_start:header_start]):
                return
            yield header, content, end
            start = end

    def open(
        self, buffer: bytes, start: int, end: int, max_content: int
    ) -> tuple[int, bytes, bytes]:
        """Check the envelope at `buffer[start:end]` and return its parts.

        Returns:
            The message type, the header's bytes and the content.

        Raises:
            ChecksumError: A CRC32 does not match.
            SignatureError: The CRC32s match, but the MAC does not.
            WireError: `check_prelude` raised it.
        """
        message_type, header_length, header_crc, content_crc = check_prelude(
            buffer, start, end - start, max_content
        )
        header_start = start + ENVELOPE_BYTES
        content_start = header_start + header_length
        header, content = buffer[header_start:content_start], buffer[content_start:end]
        if crc32(header) != header_crc:
            raise ChecksumError("the header is damaged")
        if crc32(content) != content_crc:
            raise ChecksumError("the content is damaged")
        mac_start = start + PRELUDE_BYTES
        inner = self._begin_inner()
        inner.update(buffer[start:mac_start])
        inner.update(header)
        inner.update(content)
        outer = self._begin_outer()
        outer.update(inner.digest())
        if not compare_digest(outer.digest(), buffer[mac_start:header_start]):
            raise SignatureError("the signature does not match: another key, or a forgery")
        return message_type, header, content
