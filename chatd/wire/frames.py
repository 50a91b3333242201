"""Frames: a 4-byte unsigned big-endian length, then that many bytes (Twisted's Int32 strings).

`FrameReader` cuts a stream into frames. It hands out offsets into the bytes that arrived, so that
many small frames in one read cost no copy each, and it gathers a frame that spans many reads in
one growing buffer, so that a large one costs no more a byte than a small one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct

from chatd.errors import FrameTooLargeError

__all__ = ["LENGTH_BYTES", "Buffer", "FrameReader", "encode_frame"]

LENGTH = Struct(">I")
LENGTH_BYTES = LENGTH.size

LARGE_FRAME = 64 * 1024
"""A frame of at least so many bytes is handed out where it was gathered, without a copy."""

Buffer = bytes | bytearray
FrameCheck = Callable[[Buffer, int, int], object]
"""Called with a buffer, the offset of a frame in it, and that frame's length."""


def encode_frame(body: bytes) -> bytes:
    """Put the length of `body` before it."""
    return LENGTH.pack(len(body)) + body


class FrameReader:
    """Cuts a stream of bytes into frames.

    Args:
        max_frame: The longest frame accepted, in bytes without its length prefix. May be changed
            between two frames; the next one is held to the new value.
        check_start: What looks at the first `check_bytes` of a frame, as soon as they are there,
            and raises where the frame will be refused anyway, so that the rest is never gathered.
        check_bytes: How many bytes of a frame `check_start` needs, the length prefix not counted;
            a frame shorter than that is shown to it by its length alone.
    """

    __slots__ = (
        "_buffer",
        "_check_bytes",
        "_check_start",
        "_needed",
        "_offset",
        "_partial",
        "max_frame",
    )

    def __init__(self, max_frame: int, check_start: FrameCheck, check_bytes: int) -> None:
        self.max_frame = max_frame
        self._check_start = check_start
        self._check_bytes = check_bytes
        self._buffer: Buffer = b""
        self._offset = 0
        # What arrived of the next frame, and how much of it must be there before it is looked at.
        self._partial = bytearray()
        self._needed = 0

    @property
    def is_empty(self) -> bool:
        """Whether everything received was handed out: no frame has begun and not ended."""
        return not self._partial and self._offset == len(self._buffer)

    @property
    def gathered_bytes(self) -> int:
        """How much is there of a frame that is not whole, but whose start was found good."""
        is_good = self._needed > LENGTH_BYTES + self._check_bytes
        return len(self._partial) if is_good else 0

    @property
    def held_bytes(self) -> int:
        """How much is there that was not handed out."""
        return len(self._partial) + len(self._buffer) - self._offset

    def discard(self) -> None:
        """Forget what is there."""
        self._partial = bytearray()
        self._buffer, self._offset = b"", 0

    def receive_data(self, data: bytes) -> None:
        """Take what arrived; `frames` hands out the frames in it."""
        if self._offset < len(self._buffer):
            self._keep_rest(0)
        if self._partial:
            if self._needed >= LARGE_FRAME or len(self._partial) + len(data) < self._needed:
                self._partial += data
                if len(self._partial) < self._needed:
                    return
                whole: Buffer = self._partial
            else:
                whole = b"".join((self._partial, data))
            self._partial = bytearray()
            self._buffer = whole
        else:
            self._buffer = data
        self._offset = 0

    def frames(self) -> Iterator[tuple[Buffer, int, int]]:
        """Hand out the frames that are whole, as a buffer and the offsets of start and end in it.

        The caller may stop at any frame and ask again later: no frame is lost or seen twice.

        Raises:
            FrameTooLargeError: A length prefix announces more than `max_frame` bytes.
            WireError: What `check_start` raises.
        """
        unpack_length = LENGTH.unpack_from
        buffer = self._buffer
        available = len(buffer)
        while (start := self._offset + LENGTH_BYTES) <= available:
            (length,) = unpack_length(buffer, start - LENGTH_BYTES)
            end = start + length
            if length > self.max_frame:
                raise FrameTooLargeError(
                    f"a frame of {length} bytes is over the limit of {self.max_frame}"
                )
            if end > available:
                self._await_frame(start, length)
                return
            self._offset = end
            yield buffer, start, end
            if buffer is not self._buffer:  # more arrived while the caller had the frame
                buffer = self._buffer
                available = len(buffer)
        if self._offset < available:
            self._keep_rest(LENGTH_BYTES)
        else:
            self._buffer = b""  # an idle connection holds nothing of what it was sent
            self._offset = 0

    def _await_frame(self, start: int, length: int) -> None:
        """Keep what is there of a frame that is not whole, unless it would be refused."""
        if length < self._check_bytes or len(self._buffer) - start >= self._check_bytes:
            self._check_start(self._buffer, start, length)
            self._keep_rest(LENGTH_BYTES + length)
        else:
            self._keep_rest(LENGTH_BYTES + self._check_bytes)

    def _keep_rest(self, needed: int) -> None:
        self._partial += memoryview(self._buffer)[self._offset :]
        self._needed = needed
        self._buffer = b""
        self._offset = 0
