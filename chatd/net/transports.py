"""What is asked of what carries a stream."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IAddress, IPushProducer

__all__ = ["StreamTransport"]


class StreamTransport(Protocol):
    """What is asked of a transport; every one of Twisted's that carries a stream has it."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def loseConnection(self) -> None:
        """Close, once all is sent."""

    def loseWriteConnection(self) -> None:
        """Close the sending half, once all is sent; only where it is half-closeable."""

    def pauseProducing(self) -> None:
        """Read no more for now."""

    def resumeProducing(self) -> None:
        """Read on."""

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        """Tell a producer when to pause and to resume."""

    def unregisterProducer(self) -> None:
        """Tell it no more."""

    def getPeer(self) -> IAddress:
        """Return the address of the other side."""
