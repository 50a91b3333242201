"""Redis publish and subscribe, by RESP2: https://redis.io/docs/latest/develop/pubsub/."""

from __future__ import annotations

from typing import ClassVar

from bench.dialects.base import Line

__all__ = ["RedisLine"]


class RedisLine(Line):
    """One connection to Redis; see `Line`.

    A connection that subscribes cannot publish. The server answers each publish with the number of
    receivers.
    """

    HEARS_ITSELF: ClassVar[bool] = False

    def join(self) -> None:
        """See `Line`."""
        self.link.sendall(_request(b"SUBSCRIBE", self.room.encode()))
        self.read_until(b":1\r\n")

    def join_to_speak(self) -> None:
        """See `Line`: a speaker does not subscribe."""
        self.link.sendall(_request(b"PING"))
        self.read_until(b"+PONG\r\n")

    def encode(self, first: int, count: int, content: bytes) -> bytes:
        """See `Line`: the number replaces the first 8 bytes."""
        rest = content[8:]
        blank = _request(b"PUBLISH", self.room.encode(), b"%08x%b" % (0, rest))
        head = blank[: -len(b"%08x%b\r\n" % (0, rest))]
        return b"".join(
            b"%b%08x%b\r\n" % (head, number, rest) for number in range(first, first + count)
        )


def _request(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)
