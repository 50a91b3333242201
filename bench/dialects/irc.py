"""IRC, by RFC 2812, for any IRC server."""

from __future__ import annotations

from typing import ClassVar

from bench.dialects.base import Line

__all__ = ["MAX_LINE_BYTES", "IrcLine"]

MAX_LINE_BYTES = 512
"""Length of the longest line, with its end and the server's prefix (RFC 2812, section 2.3)."""
_PREFIX_BYTES = 128


class IrcLine(Line):
    """One connection to an IRC server; see `Line`.

    The server announces each join to the members that are there, so these must be drained before
    `begin`.
    """

    HEARS_ITSELF: ClassVar[bool] = False

    def join(self) -> None:
        """See `Line`: the answer to the ping comes after the channel's names."""
        name, room = self.name.encode(), self.room.encode()
        self.link.sendall(b"NICK %b\r\nUSER %b 0 * :%b\r\n" % (name, name, name))
        self.read_until(b" 001 ")
        self.link.sendall(b"JOIN %b\r\n" % room)
        self.read_until(b" 366 ")  # the server sends no names if it refuses the join
        self.link.sendall(b"PING :joined\r\n")
        self.read_until(b"joined\r\n")

    def encode(self, first: int, count: int, content: bytes) -> bytes:
        """See `Line`: the number replaces the first 8 bytes.

        Raises:
            ValueError: The server would truncate the message, or read it as several messages.
        """
        rest = content[8:]
        head = b"PRIVMSG %b :" % self.room.encode()
        if len(head) + 8 + len(rest) + 2 + _PREFIX_BYTES > MAX_LINE_BYTES:
            raise ValueError(f"{len(content)} bytes do not fit into a line of IRC")
        if set(rest) & set(b"\r\n\0"):
            raise ValueError("an IRC line cannot contain a line end or a NUL byte")
        return b"".join(
            b"%b%08x%b\r\n" % (head, number, rest) for number in range(first, first + count)
        )
