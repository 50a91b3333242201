"""`Line`: the load driver's interface to a protocol, one connection that speaks it.

A line blocks while it joins. Afterwards the driver feeds it received data. Counting must cost the
driver next to nothing, so that the driver is never the bottleneck: a line counts the bytes of its
stream, and only a watched line counts messages.
"""

from __future__ import annotations

import socket
from struct import Struct
from typing import ClassVar

__all__ = ["PAYLOAD_BYTES", "Line", "connect", "payload", "reset"]

PAYLOAD_BYTES = 100
"""Length of a message's content, unless a measure sets another length."""
_LINGER = Struct("ii").pack(1, 0)


def connect(host: str, port: int) -> socket.socket:
    """Open a TCP connection whose small writes are sent at once."""
    link = socket.create_connection((host, port), timeout=30)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def reset(link: socket.socket) -> None:
    """Close a TCP connection with a RST instead of a FIN."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
    link.close()


def payload(length: int) -> bytes:
    """Return printable content of a length."""
    return (b"The quick brown fox jumps over the lazy dog " * (length // 44 + 1))[:length]


class Line:
    """One connection to a peer whose deliveries all have the same length.

    Args:
        link: The connection, open and blocking.
        name: The client's name.
        room: The room, channel, subject or topic.
        key: The shared key, if there is one.
        is_watched: Whether the driver calls `seen` of this line.

    Attributes:
        stream_bytes: The number of bytes that have arrived since `begin`; equal for two members
            that got the same messages.
    """

    HEARS_ITSELF: ClassVar[bool] = True
    """Whether a member gets its own messages."""

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
        """Do as `join`, but get no messages of the room if the protocol allows that."""
        self.join()

    def encode(self, first: int, count: int, content: bytes) -> bytes:
        """Return the bytes that send `content` to the room `count` times, numbered from `first`."""
        raise NotImplementedError

    def begin(self) -> None:
        """Start counting."""
        self.stream_bytes = 0

    def feed(self, data: memoryview) -> None:
        """Take received data."""
        self.stream_bytes += len(data)

    def seen(self) -> int:
        """Return the number of messages that have arrived since `begin`, on a watched line.

        The first delivery, which the driver sends alone, determines the length of a delivery.
        """
        return self.stream_bytes // self.delivery_bytes if self.delivery_bytes else 0

    def first_seen(self) -> None:
        """Set the length of a delivery to the number of bytes that have arrived."""
        self.delivery_bytes = self.stream_bytes

    def check(self, count: int) -> None:
        """Check that exactly `count` messages have arrived, each of them correct.

        Raises:
            AssertionError: The messages are not the expected ones.
        """
        if self.delivery_bytes * count != self.stream_bytes:
            raise AssertionError(
                f"{self.stream_bytes} bytes of {self.delivery_bytes * count} arrived"
            )

    def read_until(self, mark: bytes) -> bytes:
        """Read, blocking, until `mark` has arrived; return all data that was read."""
        data = b""
        while mark not in data:
            piece = self.link.recv(65536)
            if not piece:
                raise ConnectionError(f"closed after {data!r}")
            data += piece
        return data
