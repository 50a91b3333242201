"""`Reading`: a transport is read from as long as there is no reason not to."""

from __future__ import annotations

from enum import Enum

from chatd.transport.streams import StreamTransport

__all__ = ["Reading", "Reason"]


class Reason(Enum):
    """Why a peer is not read from."""

    WORK = "something that it said is being acted on"
    FLOODED = "too much waits for it to be read"


class Reading:
    """Pauses the reading of a transport while there is a reason for it.

    Args:
        stream: The transport.

    Attributes:
        reasons: Why it is not read from now.
    """

    __slots__ = ("_may_read", "_stream", "reasons")

    def __init__(self, stream: StreamTransport) -> None:
        self._stream = stream
        self._may_read = True
        self.reasons: set[Reason] = set()

    def pause(self, reason: Reason) -> None:
        """Read nothing until the reason is gone."""
        if self._may_read and not self.reasons:
            self._stream.pauseProducing()
        self.reasons.add(reason)

    def resume(self, reason: Reason) -> None:
        """Take a reason away; where it was the last, read on."""
        if reason in self.reasons:
            self.reasons.discard(reason)
            if self._may_read and not self.reasons:
                self._stream.resumeProducing()

    def drop(self) -> None:
        """Read on whatever the reasons: what arrives from now on is dropped."""
        if self._may_read and self.reasons:
            self._stream.resumeProducing()
        self._may_read = False

    def stop(self) -> None:
        """Leave the transport alone: nothing more arrives."""
        self._may_read = False
