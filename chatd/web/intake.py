"""`Intake`: lets a long read of a WebSocket wait for other clients' turn."""

from __future__ import annotations

from collections.abc import Callable

from chatd.server.readbudget import ReadBudget
from chatd.transport.streams import StreamTransport

__all__ = ["SHORT_FRAMES", "Intake"]

SHORT_FRAMES = 1024
"""The longest read of frames that is acted on at once, in bytes: it has up to 170 empty frames,
which take half a millisecond."""


class Intake:
    """Stands between a transport and the framing of a WebSocket.

    While a read waits here, reading is paused.

    Args:
        budget: The time for long reads.
        give: Takes the bytes of a read.
    """

    def __init__(self, budget: ReadBudget, give: Callable[[bytes], None]) -> None:
        self._budget = budget
        self._give = give
        self._unread = b""
        self._awaits_turn = False
        self._is_paused = False  # by the session

    @property
    def held_bytes(self) -> int:
        """How many bytes wait here."""
        return len(self._unread)

    def begin(self, stream: StreamTransport) -> None:
        """Set the transport."""
        self._stream = stream

    def receive(self, data: bytes) -> None:
        """Take the bytes of a read."""
        if self._awaits_turn:  # TLS gives on what it has, though it is paused
            self._unread += data
            return
        asked = self._budget.ask() if len(data) > SHORT_FRAMES else None
        if asked is None:
            self._give(data)
            return
        self._unread, self._awaits_turn = data, True
        self._stream.pauseProducing()
        asked.addCallback(self._turn_came)

    def pause(self) -> None:
        """Pause reading: the session asks for it."""
        self._is_paused = True
        self._stream.pauseProducing()

    def resume(self) -> None:
        """Resume reading, unless a read waits here."""
        self._is_paused = False
        if not self._awaits_turn:
            self._stream.resumeProducing()

    def stop(self) -> None:
        """Drop what waits here: the connection has ended."""
        self._unread = b""

    def _turn_came(self, _: None) -> None:
        self._awaits_turn = False
        data, self._unread = self._unread, b""
        if not data:
            return
        self._give(data)
        if not self._is_paused:
            self._stream.resumeProducing()
