"""The interface of a stream transport, its peer and its wrappers."""

from __future__ import annotations

import select
from typing import Any, Protocol

from twisted.internet.interfaces import IAddress, IPushProducer
from twisted.protocols.policies import ProtocolWrapper
from zope.interface import implementer

__all__ = ["NoAddress", "StreamTransport", "carrier_of", "has_hung_up", "peer_of"]

_HANGUP = getattr(select, "POLLRDHUP", 0)  # Linux reports it even with unread bytes; poll(2)


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
    carrier = carrier_of(transport)
    number = carrier.fileno() if hasattr(carrier, "fileno") else -1
    if number < 0:
        return False
    poll = select.poll()
    poll.register(number, _HANGUP)  # POLLHUP and POLLERR are always reported
    return bool(poll.poll(0))
