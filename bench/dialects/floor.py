"""The floor: only a length and a content; its server is `bench.floor_server`."""

from __future__ import annotations

from struct import Struct

from bench.dialects.base import Line

__all__ = ["FloorLine"]

_LENGTH = Struct(">I")
_JOINED = _LENGTH.pack(2) + b"ok"


class FloorLine(Line):
    """One connection to the floor; see `Line`."""

    def join(self) -> None:
        """See `Line`: the first frame names the room."""
        room = self.room.encode()
        self.link.sendall(_LENGTH.pack(len(room)) + room)
        self.read_until(_JOINED)

    def encode(self, first: int, count: int, content: bytes) -> bytes:
        """See `Line`: the number replaces the first 8 bytes."""
        length, rest = _LENGTH.pack(8 + len(content[8:])), content[8:]
        return b"".join(
            b"%b%08x%b" % (length, number, rest) for number in range(first, first + count)
        )
