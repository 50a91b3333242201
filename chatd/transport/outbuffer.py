"""`OutBuffer`: writes to a transport no faster than the peer reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from chatd.wire.channel import sealed_length

__all__ = ["OutBuffer", "Seal", "Writable"]

SLICE = 256 * 1024
"""How much is written at once, in bytes: a slow peer that reads is seen to read at each slice."""

_SCRATCH = bytearray(sealed_length(SLICE))
"""What is sealed is sealed here: new memory for each write would cost more than the sealing."""

Seal = Callable[  # see `Channel.seal_into`
    ["bytes | memoryview", bytearray], "bytes | memoryview"
]


class Writable(Protocol):
    """What an out buffer writes to."""

    def write(self, data: bytes | memoryview) -> None:
        """Send bytes; they are overwritten when it returns."""


class OutBuffer:
    """Holds back what a peer does not read.

    What is held back is not sealed yet: many members may hold the same bytes, and those who do not
    read cost no copy of their own.

    Args:
        stream: What to write to; it is to call `pause` and `resume` as a push producer's.
        seal: What makes of a piece the bytes to write, in a buffer that is given; called in the
            order of the pieces.
    """

    __slots__ = ("_last", "_rest", "_seal", "_stream", "is_paused")

    def __init__(self, stream: Writable, seal: Seal) -> None:
        self._stream = stream
        self._seal = seal
        self._rest = memoryview(b"")
        self._last = b""
        self.is_paused = False

    @property
    def is_open(self) -> bool:
        """Whether more is taken: the peer reads, and nothing is held back."""
        return not self.is_paused and not self._rest

    @property
    def is_done(self) -> bool:
        """Whether nothing is held back."""
        return not self._rest and not self._last

    def __len__(self) -> int:
        """Return how many bytes are held back."""
        return len(self._rest) + len(self._last)

    def write(self, data: bytes) -> None:
        """Write bytes, all of them or what may be written now; only while `is_open`."""
        if len(data) > SLICE:
            self._rest = memoryview(data)
            self.proceed()
        elif data:
            self._stream.write(self._seal(data, _SCRATCH))

    def pause(self) -> None:
        """Write nothing until `resume`."""
        self.is_paused = True

    def resume(self) -> None:
        """Go on."""
        self.is_paused = False
        self.proceed()

    def finish(self, data: bytes) -> None:
        """Write the last bytes, after what is held back; a few of them whether it reads or not."""
        if not self._rest and len(data) <= SLICE:
            self.write(data)
        else:
            self._last = data
            self.proceed()

    def discard(self) -> None:
        """Forget what is held back: nobody will read it."""
        self._rest, self._last = memoryview(b""), b""

    @property
    def may_proceed(self) -> bool:
        """Whether there is a slice to write now."""
        return not self.is_paused and not self.is_done

    def proceed(self) -> None:
        """Write the next slice, if it may be written; one at a time, so that others have a turn."""
        if self.may_proceed:
            if not self._rest:
                self._rest, self._last = memoryview(self._last), b""
            piece, self._rest = self._rest[:SLICE], self._rest[SLICE:]
            self._stream.write(self._seal(piece, _SCRATCH))
