"""Lines from a file or a pipe, and lines to standard output, without blocking the reactor."""

from __future__ import annotations

from collections import deque
from typing import cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.config.ownfile import may_become_mark, strip_mark
from chatd.errors import ConfigurationError
from chatd.transport.streams import StreamTransport
from chatd.transport.wakeup import Wakeup

__all__ = ["LineTooLong", "StandardLines"]

_MAX_WAITING = 1_000
"""Number of waiting lines at which reading pauses."""
_MAX_WAITING_BYTES = 1024 * 1024
"""Size of waiting lines at which reading pauses, in bytes."""


class LineTooLong:
    """Stands for a line that was over the limit; its text is dropped."""

    def __len__(self) -> int:
        return 0


@implementer(IPushProducer)
class _Brake:
    """Pauses a source while its consumer is full, and resumes it when the consumer stops."""

    def __init__(self, source: StreamTransport) -> None:
        self.pauseProducing = source.pauseProducing
        self.resumeProducing = source.resumeProducing
        self.stopProducing = source.resumeProducing


@implementer(IHalfCloseableProtocol)
class StandardLines(Protocol):
    r"""Reads lines, as an async iterator, and writes lines.

    A line ends with ``\n`` or ``\r\n``, which are not part of it; the last line may have no end.
    Reading pauses while enough lines wait, so that a file of any size may be sent. A UTF-8 byte
    order mark at the beginning is not part of the first line. With a byte order mark of UTF-16 or
    UTF-32, the iteration fails with `ConfigurationError` before any line.

    Reading begins with `start`.

    Args:
        what: The name of the file or the pipe in that error.
    """

    def __init__(self, what: str = "standard input") -> None:
        self._what = what
        self._start: bytes | None = b""  # collected until it is a mark or cannot become a mark
        self._fault: ConfigurationError | None = None
        self._max_line = 0
        self._rest = bytearray()
        self._is_skipping = False
        self._waiting: deque[bytes | LineTooLong] = deque()
        self._waiting_bytes = 0
        self._is_paused = False
        self._is_at_end = False
        self._wakeup = Wakeup()
        self._closed: Deferred[None] = Deferred()
        self._is_closed = False
        self._has_brake = False
        self.is_writable = True

    # Reading

    def __aiter__(self) -> StandardLines:
        return self

    async def __anext__(self) -> bytes | LineTooLong:
        while not self._waiting:
            if self._fault is not None:
                raise self._fault
            if self._is_at_end:
                raise StopAsyncIteration
            await self._wakeup.wait()
        line = self._waiting.popleft()
        self._waiting_bytes -= len(line)
        if self._is_paused and not self._waits_much(share=0.5):
            self._resume()
        return line

    def connectionMade(self) -> None:
        """Wait for `start`."""
        self._stream = cast(StreamTransport, self.transport)
        self._pause()

    def start(self, max_line: int) -> None:
        """Begin to read.

        Args:
            max_line: Length of the longest line, in bytes; a longer line becomes a `LineTooLong`.
        """
        self._max_line = max_line
        self._resume()

    def stop_reading(self) -> None:
        """Drop the waiting lines, and end the iteration."""
        self._waiting.clear()
        self._waiting_bytes = 0
        self._rest.clear()
        self._end()

    def dataReceived(self, data: bytes) -> None:
        """Split data into lines."""
        if self._is_at_end:
            return
        if self._start is None:
            self._take(data)
            return
        self._start += data
        if not may_become_mark(self._start):
            self._take_start(self._start)

    def _take_start(self, start: bytes) -> None:
        """Take the beginning of the text, without its byte order mark."""
        self._start = None
        try:
            self._take(strip_mark(start, self._what))
        except ConfigurationError as error:
            self._fault = error
            self.stop_reading()

    def _take(self, data: bytes) -> None:
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._rest += line
            self._line_ended()
        self._rest += rest
        if len(self._rest) > self._max_line + len(b"\r"):
            self._is_skipping = True
            self._rest.clear()
        if not self._is_paused and self._waits_much():
            self._pause()
        self._wakeup.fire()

    def readConnectionLost(self) -> None:
        """Take the rest as the last line: there is no more to read."""
        if self._start and not self._is_at_end:
            self._take_start(self._start)
        if self._rest or self._is_skipping:
            self._line_ended()
        self._end()

    # Writing

    def write_line(self, line: str) -> None:
        """Write a line, unless standard output was closed."""
        if self.is_writable:
            self._stream.write(line.encode("utf-8", "replace") + b"\n")

    def slow_down(self, source: StreamTransport) -> None:
        """Pause a source of lines, instead of the last one, while standard output is not read."""
        self._slow_down_no_more()
        self._has_brake = True
        self._stream.registerProducer(_Brake(source), True)

    def _slow_down_no_more(self) -> None:
        if self._has_brake:
            self._has_brake = False
            self._stream.unregisterProducer()

    def writeConnectionLost(self) -> None:
        """Stop reading and writing: standard output was closed."""
        self.is_writable = False
        self.stop_reading()

    def close(self) -> Deferred[None]:
        """Write the rest of the buffered output, and close.

        Returns:
            A Deferred that fires with None when standard output is closed.
        """
        if not self._is_closed:
            self._slow_down_no_more()
            self._stream.loseConnection()
        if not self.is_writable:  # then Twisted does not call connectionLost
            return succeed(None)
        return self._closed

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Note that all output is written."""
        self._is_closed = True
        self.is_writable = False
        self._end()
        self._closed.callback(None)

    # Within

    def _pause(self) -> None:
        self._is_paused = True
        self._stream.pauseProducing()

    def _resume(self) -> None:
        self._is_paused = False
        self._stream.resumeProducing()

    def _line_ended(self) -> None:
        line: bytes | LineTooLong = bytes(self._rest).removesuffix(b"\r")
        self._rest.clear()
        if self._is_skipping or len(line) > self._max_line:
            line = LineTooLong()
        self._is_skipping = False
        self._waiting.append(line)
        self._waiting_bytes += len(line)

    def _waits_much(self, share: float = 1.0) -> bool:
        """Return whether the waiting lines reach a share of their limits."""
        return (
            len(self._waiting) >= share * _MAX_WAITING
            or self._waiting_bytes >= share * _MAX_WAITING_BYTES
        )

    def _end(self) -> None:
        self._is_at_end = True
        self._wakeup.fire()
