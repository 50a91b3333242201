"""`Closing`: how a transport is closed so that the peer can still read what was written."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IHalfCloseableDescriptor, IReactorTime, ISSLTransport

from chatd.transport.outbuffer import OutBuffer
from chatd.transport.streams import StreamTransport
from chatd.transport.timer import Timer

__all__ = ["CLOSE_TIMEOUT_S", "Closing"]

CLOSE_TIMEOUT_S = 5.0
"""How long a peer may take to read the end of a session, in seconds."""


class Closing:
    """Closes a transport once all is written, and has it cut off where that takes too long.

    Where the transport can, only the sending half is closed, and what still arrives is read and
    dropped: closing a TCP socket on unread bytes would reset it, and the peer would lose the words
    that say why.

    Args:
        stream: The transport.
        outbuffer: Holds what is still to be written.
        clock: The reactor, or a test's clock.
        cut_off: Called when the peer has not read all in `CLOSE_TIMEOUT_S`.
    """

    def __init__(
        self,
        stream: StreamTransport,
        outbuffer: OutBuffer,
        clock: IReactorTime,
        cut_off: Callable[[], object],
    ) -> None:
        self._stream = stream
        self._outbuffer = outbuffer
        self._timer = Timer(clock)
        self._timer.start(CLOSE_TIMEOUT_S, cut_off)

    def proceed(self, *, peer_has_finished: bool) -> None:
        """Close, if all is written; else do nothing yet.

        Args:
            peer_has_finished: Whether the peer has closed its sending half: then there is no need
                to wait for it.
        """
        if not self._outbuffer.is_done:
            return
        self._stream.unregisterProducer()
        if peer_has_finished or not _can_half_close(self._stream):
            self._stream.loseConnection()
        else:
            self._stream.loseWriteConnection()

    def stop(self) -> None:
        """Stop the time: the transport is gone, or being cut off."""
        self._timer.stop()


def _can_half_close(stream: StreamTransport) -> bool:
    """Say whether the sending half can be closed alone; standard output cannot, in effect."""
    return (
        IHalfCloseableDescriptor.providedBy(stream)
        and hasattr(stream, "abortConnection")
        and not ISSLTransport.providedBy(stream)
    )
