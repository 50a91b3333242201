"""What is asked of what carries a stream."""

from __future__ import annotations

import select
from typing import Any, Protocol

from twisted.internet.interfaces import IAddress, IPushProducer
from twisted.protocols.policies import ProtocolWrapper
from zope.interface import implementer

__all__ = ["NoAddress", "StreamTransport", "carrier_of", "has_hung_up", "peer_of"]

_HANGUP = getattr(select, "POLLRDHUP", 0)  # Linux has it, whatever is still to be read; poll(2)


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


@implementer(IAddress)
class NoAddress:
    """The address of another side that has none."""

    def __repr__(self) -> str:
        return "NoAddress()"


def peer_of(transport: Any) -> IAddress:  # noqa: ANN401
    """Return the address of the other side, whatever carries the stream.

    Args:
        transport: Any of Twisted's, or what wraps one. That of a process raises
            NotImplementedError when it is asked for its peer.
    """
    try:
        peer: IAddress = transport.getPeer()
    except Exception:  # transports may be anybody's
        return NoAddress()
    return peer


def carrier_of(transport: Any) -> Any:  # noqa: ANN401
    """Return what is within all wrappers. TLS is one: its own handle is no socket."""
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    return transport


def has_hung_up(transport: Any) -> bool:  # noqa: ANN401
    """Say whether the peer has closed its sending half, also while it is not read from.

    What it sent before may not have been read yet, and so the reactor says nothing of the end.

    Args:
        transport: Any of Twisted's, or what wraps one.

    Returns:
        Whether it has, as far as the system tells: always False for what is no socket, and where
        the system has no `POLLRDHUP` and the connection is not broken both ways.
    """
    carrier = carrier_of(transport)
    number = carrier.fileno() if hasattr(carrier, "fileno") else -1
    if number < 0:
        return False
    poll = select.poll()
    poll.register(number, _HANGUP)  # POLLHUP and POLLERR are always told
    return bool(poll.poll(0))
