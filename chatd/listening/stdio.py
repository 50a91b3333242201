"""`StdioEndpoint`: serves one peer, on standard input and output."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import Deferred, execute
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import implementer

if TYPE_CHECKING:  # mypy takes the public name for the Windows class
    from twisted.internet._posixstdio import StandardIO
else:
    from twisted.internet.stdio import StandardIO

__all__ = ["StdioAddress", "StdioEndpoint", "StdioTransport"]


@implementer(IAddress)
class StdioAddress:
    """The address of the client on standard input and output."""

    def __repr__(self) -> str:
        return "standard input and output"


class StdioTransport(StandardIO):
    """A connection over two descriptors, which it closes at its end.

    Twisted's transport leaves them open, cannot be aborted, and does not end when the other side
    stops reading.

    Args:
        protocol: The protocol of the connection.
        input_end: The descriptor for reading.
        output_end: The descriptor for writing.
        reactor: The reactor.

    Attributes:
        ended: Fires with None when the connection has ended and the protocol knows it.
    """

    def __init__(
        self,
        protocol: IProtocol,
        input_end: int,
        output_end: int,
        reactor: Any,  # noqa: ANN401
    ) -> None:
        self.ended: Deferred[None] = Deferred()
        self._open = {"read": input_end, "write": output_end}
        self._reactor = reactor
        super().__init__(protocol, input_end, output_end, reactor)

    def getPeer(self) -> StdioAddress:
        """Return the address of the other side."""
        return StdioAddress()

    def getHost(self) -> StdioAddress:
        """Return the address of this side."""
        return StdioAddress()

    def loseConnection(self) -> None:
        """Close when all data is sent, or at once if the other side has stopped reading."""
        super().loseConnection()
        if "write" not in self._open:
            self._end_soon(Failure(ConnectionDone()))

    def abortConnection(self) -> None:
        """Close at once, and drop unsent data."""
        self._end_soon(Failure(ConnectionAborted()))

    def childConnectionLost(self, fd: str, reason: Failure) -> None:
        """Close the descriptor of a direction that is over, `read` or `write`."""
        os.close(self._open.pop(fd))
        super().childConnectionLost(fd, reason)

    def connectionLost(self, reason: Failure) -> None:
        """End the connection."""
        if not self.disconnected:
            super().connectionLost(reason)
            self.ended.callback(None)

    def _end_soon(self, reason: Failure) -> None:
        self._reactor.callLater(0, self.connectionLost, reason)


@implementer(IStreamServerEndpoint)
class StdioEndpoint:
    """Takes standard input and output, and serves the client on them.

    From then on, both are the null device for the rest of the process.

    Args:
        reactor: The reactor.
        input_end: The descriptor for reading.
        output_end: The descriptor for writing.
    """

    def __init__(self, reactor: Any, input_end: int = 0, output_end: int = 1) -> None:  # noqa: ANN401
        self._reactor = reactor
        self._ends = input_end, output_end

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Serve the client.

        Returns:
            A Deferred that fires with a `StdioTransport`. It fails with `OSError` if standard input
            or output is closed.
        """
        return execute(self._serve, protocolFactory)

    def _serve(self, factory: IProtocolFactory) -> IListeningPort:
        input_end, output_end = (_take(number) for number in self._ends)
        protocol = factory.buildProtocol(StdioAddress())
        assert protocol is not None, "a server that starts takes connections"
        transport = StdioTransport(protocol, input_end, output_end, self._reactor)
        return cast(IListeningPort, transport)  # there is no port: only this client can connect


def _take(number: int) -> int:
    """Return a copy of a descriptor, and put the null device in its place."""
    # If it was closed at the start, Python has no stream for it, and its number is another file's.
    if {0: sys.__stdin__, 1: sys.__stdout__}.get(number, number) is None:
        raise OSError(errno.EBADF, "standard input or output is closed")
    own = os.dup(number)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, number)
    os.close(null)
    return own
