"""`Reading`: pauses and resumes the reading of a transport."""

from __future__ import annotations

from enum import Enum

from chatd.transport.streams import StreamTransport

__all__ = ["Reading", "Reason"]


class Reason(Enum):
    """A reason to pause reading from a peer."""

    WORK = "an event from the peer is being acted on"
    TURN = "the frames of the peer's WebSocket wait for other peers' turn"
    FLOODED = "too many bytes wait for the peer to read"


class Reading:
    """Pauses the reading of a transport while there is a reason for it.

    Args:
        stream: The transport.

    Attributes:
        reasons: The reasons why reading is paused; empty if it is not.
    """

    __slots__ = ("_may_read", "_stream", "reasons")

    def __init__(self, stream: StreamTransport) -> None:
        self._stream = stream
        self._may_read = True
        self.reasons: frozenset[Reason] = frozenset()

    def pause(self, reason: Reason) -> None:
        """Pause reading until the reason ends."""
        if self._may_read and not self.reasons:
            self._stream.pauseProducing()
        self.reasons |= {reason}

    def resume(self, reason: Reason) -> None:
        """Remove a reason; resume reading if it was the last."""
        if reason in self.reasons:
            self.reasons -= {reason}
            if self._may_read and not self.reasons:
                self._stream.resumeProducing()

    def drop(self) -> None:
        """Resume reading in spite of all reasons: this side drops the bytes from now on."""
        if self._may_read and self.reasons:
            self._stream.resumeProducing()
        self._may_read = False

    def stop(self) -> None:
        """Never pause or resume the transport again: nothing more arrives."""
        self._may_read = False
