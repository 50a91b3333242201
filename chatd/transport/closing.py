"""`Closing`: closes a transport so that the peer can still read the last bytes."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IHalfCloseableDescriptor, IReactorTime, ISSLTransport

from chatd.transport.outbuffer import OutBuffer
from chatd.transport.streams import StreamTransport
from chatd.transport.timer import Timer

__all__ = ["CLOSE_TIMEOUT_S", "Closing"]

CLOSE_TIMEOUT_S = 5.0
"""Maximum time for a peer to read the end of a session, in seconds."""


class Closing:
    """Closes a transport after its last byte is written; calls `cut_off` if that takes too long.

    With a timeout of 0, the system still gets the last bytes if it has room for them.

    If the transport allows it, only the sending half is closed, and bytes that still arrive are
    read and dropped. Closing a TCP socket with unread bytes would reset the connection, and the
    peer would lose the DISCONNECT with the reason.

    Args:
        stream: The transport.
        outbuffer: Holds the bytes that are not written yet.
        clock: The reactor, or a test's clock.
        cut_off: Called when the connection is still there after the timeout.
        timeout_s: The timeout, in seconds.
    """

    def __init__(
        self,
        stream: StreamTransport,
        outbuffer: OutBuffer,
        clock: IReactorTime,
        cut_off: Callable[[], object],
        timeout_s: float = CLOSE_TIMEOUT_S,
    ) -> None:
        self._stream = stream
        self._outbuffer = outbuffer
        self._timer = Timer(clock)
        self._timer.start(timeout_s, cut_off)

    def proceed(self, *, peer_has_finished: bool) -> None:
        """Close if all bytes are written; otherwise do nothing.

        Args:
            peer_has_finished: Whether the peer has closed its sending half, so that there is no
                need to wait for it.
        """
        if not self._outbuffer.is_done:
            return
        self._stream.unregisterProducer()
        if peer_has_finished or not _can_half_close(self._stream):
            self._stream.loseConnection()
        else:
            self._stream.loseWriteConnection()

    def stop(self) -> None:
        """Stop the timer: the transport has ended, or is being cut off."""
        self._timer.stop()


def _can_half_close(stream: StreamTransport) -> bool:
    """Return whether the sending half can be closed alone; for standard output it cannot."""
    return (
        IHalfCloseableDescriptor.providedBy(stream)
        and hasattr(stream, "abortConnection")
        and not ISSLTransport.providedBy(stream)
    )
