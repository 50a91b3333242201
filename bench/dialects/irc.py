"""IRC, by RFC 2812, as any of its servers speaks it."""

from __future__ import annotations

from typing import ClassVar

from bench.dialects.base import Line

__all__ = ["MAX_LINE_BYTES", "IrcLine"]

MAX_LINE_BYTES = 512
"""The longest line, its end and the prefix that the server adds included (RFC 2812, 2.3)."""
_PREFIX_BYTES = 128


class IrcLine(Line):
    """One connection to an IRC server; see `Line`.

    Who joins later is announced to those who are there, so that they are to be drained before
    they `begin`.
    """

    HEARS_ITSELF: ClassVar[bool] = False

    def join(self) -> None:
        """See `Line`: the answer to the ping comes after the names of the channel."""
        name, room = self.name.encode(), self.room.encode()
        self.link.sendall(b"NICK %b\r\nUSER %b 0 * :%b\r\n" % (name, name, name))
        self.read_until(b" 001 ")
        self.link.sendall(b"JOIN %b\r\n" % room)
        self.read_until(b" 366 ")  # not everyone who asks may enter, and then this is missing
        self.link.sendall(b"PING :joined\r\n")
        self.read_until(b"joined\r\n")

    def encode(self, first: int, count: int, content: bytes) -> bytes:
        """See `Line`: the number stands in the place of the first 8 bytes.

        Raises:
            ValueError: The server would cut the message short, or take it for several.
        """
        rest = content[8:]
        head = b"PRIVMSG %b :" % self.room.encode()
        if len(head) + 8 + len(rest) + 2 + _PREFIX_BYTES > MAX_LINE_BYTES:
            raise ValueError(f"{len(content)} bytes do not fit into a line of IRC")
        if set(rest) & set(b"\r\n\0"):
            raise ValueError("a line of IRC holds neither a line's end nor a zero")
        return b"".join(
            b"%b%08x%b\r\n" % (head, number, rest) for number in range(first, first + count)
        )
