"""`Outlet`: writes to a transport no faster than the peer reads."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Outlet", "Writable"]

SLICE = 256 * 1024
"""How much is written at once, in bytes: a slow peer that reads is seen to read at each slice."""


class Writable(Protocol):
    """What an outlet writes to."""

    def write(self, data: bytes) -> None:
        """Send bytes."""


class Outlet:
    """Holds back what a peer does not read.

    Args:
        stream: What to write to; it is to call `pause` and `resume` as a push producer's.
    """

    __slots__ = ("_rest", "_stream", "is_paused")

    def __init__(self, stream: Writable) -> None:
        self._stream = stream
        self._rest = memoryview(b"")
        self.is_paused = False

    @property
    def is_open(self) -> bool:
        """Whether more is taken: the peer reads, and nothing is held back."""
        return not self.is_paused and not self._rest

    def __len__(self) -> int:
        """Return how many bytes are held back."""
        return len(self._rest)

    def write(self, data: bytes) -> None:
        """Write bytes, all of them or what may be written now; only while `is_open`."""
        if len(data) <= SLICE:
            if data:
                self._stream.write(data)
        else:
            self._rest = memoryview(data)
            self._write_rest()

    def pause(self) -> None:
        """Write nothing until `resume`."""
        self.is_paused = True

    def resume(self) -> None:
        """Go on."""
        self.is_paused = False
        self._write_rest()

    def finish(self, data: bytes) -> None:
        """Write what is held back and the last bytes, to be sent as far as the peer reads."""
        rest, self._rest = self._rest, memoryview(b"")
        last = b"".join((rest, data))
        if last:
            self._stream.write(last)

    def _write_rest(self) -> None:
        while self._rest and not self.is_paused:
            piece, self._rest = self._rest[:SLICE], self._rest[SLICE:]
            self._stream.write(bytes(piece))
