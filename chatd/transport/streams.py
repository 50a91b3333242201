"""The interface of a stream transport, its peer and its wrappers."""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import termios
from typing import Any, Protocol

from twisted.internet.interfaces import IAddress, IPushProducer
from twisted.protocols.policies import ProtocolWrapper
from zope.interface import implementer

__all__ = [
    "NoAddress",
    "StreamTransport",
    "bytes_taken",
    "carrier_of",
    "has_hung_up",
    "peer_of",
]

_HANGUP = getattr(select, "POLLRDHUP", 0)  # Linux reports it even with unread bytes; poll(2)
_INT = struct.Struct("i")
_TCP_INFO = getattr(socket, "TCP_INFO", -1)
# `tcpi_bytes_acked` in `struct tcp_info` of linux/tcp.h, since Linux 4.1.
_ACKED = struct.Struct("120xQ")


class StreamTransport(Protocol):
    """The interface that chatd needs; every stream transport of Twisted has it."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def loseConnection(self) -> None:
        """Close after all bytes are sent."""

    def loseWriteConnection(self) -> None:
        """Close the sending half after all bytes are sent; for half-closeable transports only."""

    def pauseProducing(self) -> None:
        """Pause reading."""

    def resumeProducing(self) -> None:
        """Resume reading."""

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        """Register a producer, which gets calls to pause and to resume."""

    def unregisterProducer(self) -> None:
        """Remove the producer."""

    def getPeer(self) -> IAddress:
        """Return the address of the other side."""


@implementer(IAddress)
class NoAddress:
    """The address of a peer without an address."""

    def __repr__(self) -> str:
        return "NoAddress()"


def peer_of(transport: Any) -> IAddress:  # noqa: ANN401
    """Return the address of the peer of any transport.

    Args:
        transport: Any transport of Twisted, or a wrapper of a transport. The `getPeer` of a
            process's transport raises NotImplementedError.
    """
    try:
        peer: IAddress = transport.getPeer()
    except Exception:  # third-party transports may raise anything
        return NoAddress()
    return peer


def carrier_of(transport: Any) -> Any:  # noqa: ANN401
    """Return the transport inside all wrappers. TLS is a wrapper: its handle is not a socket."""
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    return transport


def has_hung_up(transport: Any) -> bool:  # noqa: ANN401
    """Return whether the peer has closed its sending half, even while reading is paused.

    While bytes from the peer are unread, the reactor does not report the end.

    Args:
        transport: Any transport of Twisted, or a wrapper of a transport.

    Returns:
        Whether the peer has closed, as far as the system knows. Always False for a transport that
        is not a socket. Without `POLLRDHUP`, True only if the connection is broken both ways.
    """
    number = _descriptor_of(transport)
    if number < 0:
        return False
    poll = select.poll()
    poll.register(number, _HANGUP)  # POLLHUP and POLLERR are always reported
    return bool(poll.poll(0))


def bytes_taken(transport: Any) -> int | None:  # noqa: ANN401
    """Return a number that grows while the peer takes the bytes that wait in the system's buffers.

    Compare it with that of an earlier call. Over TCP, the peer's system has taken the bytes; the
    peer has read them when no more fit there.

    Args:
        transport: Any transport of Twisted, or a wrapper of a transport.

    Returns:
        The number; None if no bytes wait, or if the system does not tell.
    """
    number = _descriptor_of(transport)
    if number < 0:
        return None
    try:
        # Linux names this SIOCOUTQ; see tcp(7) and unix(7).
        (waiting,) = _INT.unpack(fcntl.ioctl(number, termios.TIOCOUTQ, bytes(_INT.size)))
        if not waiting:
            return None
        with socket.socket(fileno=os.dup(number)) as same:
            # Written bytes make the queue longer, so the count of TCP is the better number.
            if same.family != socket.AF_UNIX:
                info = same.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _ACKED.size)
                (acknowledged,) = _ACKED.unpack(info)
                return int(acknowledged)
    except (OSError, struct.error):
        return None
    return -int(waiting)


def _descriptor_of(transport: Any) -> int:  # noqa: ANN401
    """Return the file descriptor of the transport inside all wrappers; negative for none."""
    carrier = carrier_of(transport)
    return carrier.fileno() if hasattr(carrier, "fileno") else -1
