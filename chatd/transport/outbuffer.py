"""`OutBuffer`: writes to a transport no faster than the peer reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from chatd.connection.outgoing import take_joined
from chatd.wire.channel import sealed_length

__all__ = ["OutBuffer", "Seal", "Writable"]

SLICE = 256 * 1024
"""Largest write, in bytes; each slice that a slow peer reads shows that it reads."""

_SCRATCH = memoryview(bytearray(sealed_length(SLICE)))
"""The buffer for sealed bytes: new memory for each write would cost more than the sealing."""

Seal = Callable[  # see `Channel.seal_into`
    ["bytes | memoryview", memoryview], "bytes | memoryview"
]


class Writable(Protocol):
    """The destination of an out buffer."""

    def write(self, data: bytes | memoryview) -> None:
        """Send bytes; they are overwritten when it returns."""


_NOTHING = memoryview(b"")


class OutBuffer:
    """Holds back bytes while the peer does not read.

    Held bytes are not sealed yet. Many members may hold the same bytes, so a member that does not
    read costs no copy.

    Args:
        stream: The destination. Call `pause` and `resume` as those of a push producer.
        seal: Seals a piece into the given buffer, and returns the bytes to write; called in the
            order of the pieces.
    """

    __slots__ = ("_last", "_rest", "_seal", "_stream", "is_paused")

    def __init__(self, stream: Writable, seal: Seal) -> None:
        self._stream = stream
        self._seal = seal
        self._rest = _NOTHING
        self._last: list[bytes] = []
        self.is_paused = False

    @property
    def is_open(self) -> bool:
        """Whether `write` may be called: the peer reads, and no bytes are held back."""
        return not self.is_paused and not self._rest

    @property
    def is_done(self) -> bool:
        """Whether no bytes are held back."""
        return not self._rest and not self._last

    def __len__(self) -> int:
        """Return the number of bytes held back."""
        return len(self._rest) + sum(map(len, self._last))

    def write(self, data: bytes) -> bool:
        """Write up to a slice of the bytes, and hold the rest; call it only while `is_open`.

        Returns:
            Whether bytes are held back.
        """
        if len(data) > SLICE:
            self._rest = memoryview(data)
            self.proceed()
            return True
        if data:
            self._stream.write(self._seal(data, _SCRATCH))
        return False

    def pause(self) -> None:
        """Write nothing until `resume`."""
        self.is_paused = True

    def resume(self) -> None:
        """Write the next slice, and allow more."""
        self.is_paused = False
        self.proceed()

    def finish(self, pieces: list[bytes]) -> None:
        """Write the last bytes, after the held bytes.

        If no bytes are held, up to a slice is written even while the peer does not read.

        Args:
            pieces: The bytes, in pieces that other members may hold, too; none of them is empty.
        """
        if not self._rest and sum(map(len, pieces)) <= SLICE:
            self.write(b"".join(pieces))
        else:
            self._last = pieces
            self.proceed()

    def discard(self) -> None:
        """Drop the held bytes."""
        self._rest, self._last = _NOTHING, []

    @property
    def may_proceed(self) -> bool:
        """Whether the next slice can be written now."""
        return not self.is_paused and not self.is_done

    def proceed(self) -> None:
        """Write the next slice, if it can be written; only one, so that other peers get a turn."""
        if self.may_proceed:
            if not self._rest:
                self._rest = memoryview(take_joined(self._last, SLICE))
            piece, self._rest = self._rest[:SLICE], self._rest[SLICE:]
            self._stream.write(self._seal(piece, _SCRATCH))
