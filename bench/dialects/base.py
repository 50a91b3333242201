"""What the load driver needs of a protocol: one `Line` is one connection that speaks it.

A line is blocking while it joins, and afterwards only told what arrived. Counting must cost the
driver next to nothing, so that it is never the bottleneck: a line counts the bytes of its stream,
and only the one that is watched counts messages.
"""

from __future__ import annotations

import socket
from struct import Struct
from typing import ClassVar

__all__ = ["PAYLOAD_BYTES", "Line", "connect", "payload", "reset"]

PAYLOAD_BYTES = 100
"""The length of a message's content, unless a measure sets another."""
_LINGER = Struct("ii").pack(1, 0)


def connect(host: str, port: int) -> socket.socket:
    """Open a TCP connection whose small writes are sent at once."""
    link = socket.create_connection((host, port), timeout=30)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def reset(link: socket.socket) -> None:
    """Close a TCP connection without a word, not even a FIN: the other side is sent a RST."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
    link.close()


def payload(length: int) -> bytes:
    """Return a content of so many printable bytes."""
    return (b"The quick brown fox jumps over the lazy dog " * (length // 44 + 1))[:length]


class Line:
    """One connection to a peer whose deliveries all have the same length.

    Args:
        link: The connection, open and blocking.
        name: Who speaks.
        room: The room, channel, subject or topic.
        key: The shared key, where there is one.
        is_watched: Whether `seen` is asked of this line.

    Attributes:
        stream_bytes: How many bytes of the stream have arrived since `begin`; equal for two
            members that were delivered the same.
    """

    HEARS_ITSELF: ClassVar[bool] = True
    """Whether a member is delivered what it says itself."""

    def __init__(
        self,
        link: socket.socket,
        name: str,
        room: str,
        *,
        key: bytes | None = None,
        is_watched: bool = False,
    ) -> None:
        self.link = link
        self.name = name
        self.room = room
        self.is_watched = is_watched
        self.stream_bytes = 0
        self.delivery_bytes = 0

    def join(self) -> None:
        """Log in and enter the room; return when the peer has confirmed both."""
        raise NotImplementedError

    def join_to_speak(self) -> None:
        """Do as `join`, but hear nothing that the room says, if that is a matter of choice."""
        self.join()

    def encode(self, first: int, count: int, content: bytes) -> bytes:
        """Return what says `content` to the room `count` times, numbered from `first`."""
        raise NotImplementedError

    def begin(self) -> None:
        """Count from here."""
        self.stream_bytes = 0

    def feed(self, data: memoryview) -> None:
        """Take what arrived."""
        self.stream_bytes += len(data)

    def seen(self) -> int:
        """Return how many messages have arrived since `begin`; only of a watched line.

        The length of a delivery is that of the first one, which the driver sends alone.
        """
        return self.stream_bytes // self.delivery_bytes if self.delivery_bytes else 0

    def first_seen(self) -> None:
        """Take all that has arrived for the delivery of one message."""
        self.delivery_bytes = self.stream_bytes

    def check(self, count: int) -> None:
        """Raise unless exactly `count` messages have arrived, each as it should be."""
        if self.delivery_bytes * count != self.stream_bytes:
            raise AssertionError(
                f"{self.stream_bytes} bytes of {self.delivery_bytes * count} arrived"
            )

    def read_until(self, mark: bytes) -> bytes:
        """Read, blocking, until `mark` has come; return all that was read."""
        data = b""
        while mark not in data:
            piece = self.link.recv(65536)
            if not piece:
                raise ConnectionError(f"closed after {data!r}")
            data += piece
        return data
