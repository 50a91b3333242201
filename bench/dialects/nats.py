"""NATS, by its client protocol: https://docs.nats.io/reference/reference-protocols/nats-protocol."""

from __future__ import annotations

import time

from bench.dialects.base import Line

__all__ = ["NatsLine"]

_CONNECT = b'CONNECT {"verbose":false,"pedantic":false,"echo":true,"lang":"bench"}\r\n'
_PING = b"PING\r\n"
_FIRST_PING_S = 3.0


class NatsLine(Line):
    """One connection to NATS; see `Line`.

    The server pings each client once, between 2.0 and 2.4 s after it has connected; no option
    prevents that. The ping is not a delivery, so counting begins after it. The client never answers
    it, since the answer could end up in the middle of a message.
    """

    _joined_at = 0.0
    _has_begun = False

    def join(self) -> None:
        """See `Line`."""
        self.link.sendall(b"%bSUB %b 1\r\n%b" % (_CONNECT, self.room.encode(), _PING))
        self.read_until(b"PONG\r\n")
        self._joined_at = time.monotonic()

    def encode(self, first: int, count: int, content: bytes) -> bytes:
        """See `Line`: the number replaces the first 8 bytes."""
        rest = content[8:]
        head = b"PUB %b %d\r\n" % (self.room.encode(), 8 + len(rest))
        return b"".join(
            b"%b%08x%b\r\n" % (head, number, rest) for number in range(first, first + count)
        )

    def begin(self) -> None:
        """See `Line`: the first call waits for the ping."""
        if not self._has_begun and not self.stream_bytes:
            self._await_ping()
        self._has_begun = True
        super().begin()

    def _await_ping(self) -> None:
        timeout_s = self.link.gettimeout()
        self.link.settimeout(max(0.001, self._joined_at + _FIRST_PING_S - time.monotonic()))
        try:
            self.read_until(_PING)
        except TimeoutError:  # this server pings at other times
            pass
        finally:
            self.link.settimeout(timeout_s)
