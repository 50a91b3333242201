"""Frames: a 4-byte unsigned big-endian length, then that many bytes (Twisted's Int32 strings).

`FrameReader` cuts a stream into frames. It returns offsets into the received bytes, so small frames
that arrive in one read are not copied. It gathers a frame that spans many reads in one growing
buffer, so a large frame costs no more per byte than a small one. Its owner may gather large frames
itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Protocol

from chatd.errors import FrameTooLargeError
from chatd.wire.foreign import describe_foreign

__all__ = ["LENGTH_BYTES", "Found", "FrameReader", "Gathering", "encode_frame"]

LENGTH = Struct(">I")
LENGTH_BYTES = LENGTH.size
_unpack_length = LENGTH.unpack_from


class Gathering(Protocol):
    """Gathers one large frame."""

    def __len__(self) -> int:
        """Return the number of bytes taken."""

    def take(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the stream: first the frame, with its length prefix."""

    @property
    def is_complete(self) -> bool:
        """Whether the whole frame was taken."""

    @property
    def rest(self) -> bytes:
        """The bytes taken that follow the frame."""


Found = bytes | Gathering
FrameCheck = Callable[[bytes, int, int], Gathering | None]
"""A check, called with a buffer, the offset of a frame in it, and the length of the frame.

It may return an object to gather the frame, which `next_frame` then returns in place of a buffer.
"""


def encode_frame(body: bytes) -> bytes:
    """Return `body` with its length before it."""
    return LENGTH.pack(len(body)) + body


class FrameReader:
    """Cuts a stream of bytes into frames.

    Args:
        max_frame: Longest frame accepted, in bytes, without its length prefix. May change between
            two frames; the next frame must keep the new limit.
        check_start: Checks the first `check_bytes` of an incomplete frame, as soon as they have
            arrived. It raises if the frame will be refused, so that the rest is never gathered.
            See `FrameCheck`.
        check_bytes: Number of bytes that `check_start` needs, without the length prefix. For a
            shorter frame it is called with the length as soon as that has arrived.
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
        self._buffer = b""
        self._offset = 0
        # The start of the next frame, and how many bytes must arrive before the next look at it.
        self._partial: bytearray | Gathering = bytearray()
        self._needed = 0

    @property
    def is_empty(self) -> bool:
        """Whether all received bytes were read: no incomplete frame is held."""
        return not self._partial and self._offset == len(self._buffer)

    @property
    def gathered_bytes(self) -> int:
        """Number of bytes held of an incomplete frame that passed `check_start`."""
        is_good = self._needed > LENGTH_BYTES + self._check_bytes
        return len(self._partial) if is_good else 0

    @property
    def held_bytes(self) -> int:
        """Number of received bytes that were not read yet."""
        return len(self._partial) + len(self._buffer) - self._offset

    def discard(self) -> None:
        """Drop the received bytes that were not read yet."""
        self._partial = bytearray()
        self._buffer, self._offset = b"", 0

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the stream; `next_frame` returns the frames in them."""
        if self._offset < len(self._buffer):
            self._keep_rest(0)
        if self._partial:
            if not isinstance(self._partial, bytearray):
                self._partial.take(data)
                return
            if len(self._partial) + len(data) < self._needed:
                self._partial += data
                return
            self._buffer = b"".join((self._partial, data))
            self._partial = bytearray()
        else:
            self._buffer = data
        self._offset = 0

    def frames(self) -> Iterator[tuple[Found, int, int]]:
        """Yield what `next_frame` returns, until no complete frame is left."""
        while (frame := self.next_frame()) is not None:
            yield frame

    def next_frame(self) -> tuple[Found, int, int] | None:
        """Return the next complete frame: a buffer, and the frame's start and end offsets in it.

        In place of the buffer, it may be the object that gathered the frame.

        Returns:
            None if no complete frame is left; the start of an incomplete frame is kept.

        Raises:
            FrameTooLargeError: A length prefix announces more than `max_frame` bytes.
            WireError: `check_start` raised it.
        """
        buffer = self._buffer
        available = len(buffer)
        start = self._offset + LENGTH_BYTES
        if start > available:
            if self._offset < available:
                self._keep_rest(LENGTH_BYTES)
            if not isinstance(self._partial, bytearray) and self._partial.is_complete:
                return self._gathered(self._partial)
            return None
        (length,) = _unpack_length(buffer, self._offset)
        if length > self.max_frame:
            raise FrameTooLargeError(
                f"frame of {length} bytes exceeds the limit of {self.max_frame}"
                f"{describe_foreign(buffer, self._offset)}"
            )
        end: int = start + length
        if end > available:
            self._await_frame(start, length)
            return None
        self.skip_to(end)
        return buffer, start, end

    @property
    def unread(self) -> tuple[bytes, int]:
        """The received bytes, and the offset of the next frame's length prefix in them."""
        return self._buffer, self._offset

    def skip_to(self, offset: int) -> None:
        """Go on at another offset of `unread`: the caller has read the frames before it."""
        self._offset = offset
        if offset == len(self._buffer):
            self._buffer, self._offset = b"", 0  # an idle connection holds no memory for them

    def _await_frame(self, start: int, length: int) -> None:
        """Keep the start of an incomplete frame, unless its check refuses it."""
        if length < self._check_bytes or len(self._buffer) - start >= self._check_bytes:
            gathering = self._check_start(self._buffer, start, length)
            if gathering is None:
                self._keep_rest(LENGTH_BYTES + length)
                return
            gathering.take(memoryview(self._buffer)[self._offset :])
            self._partial, self._needed = gathering, LENGTH_BYTES + length
            self._buffer, self._offset = b"", 0
        else:
            self._keep_rest(LENGTH_BYTES + self._check_bytes)

    def _gathered(self, gathering: Gathering) -> tuple[Gathering, int, int]:
        self._partial = bytearray()
        self._buffer = gathering.rest
        return gathering, LENGTH_BYTES, self._needed

    def _keep_rest(self, needed: int) -> None:
        assert isinstance(self._partial, bytearray)
        self._partial += memoryview(self._buffer)[self._offset :]
        self._needed = needed
        self._buffer = b""
        self._offset = 0
