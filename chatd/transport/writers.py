"""What an out buffer writes to: a socket that takes bytes at once, or any other transport."""

from __future__ import annotations

from typing import cast

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import ISSLTransport

from chatd.transport.outbuffer import Writable
from chatd.transport.streams import StreamTransport

__all__ = ["SocketWriter", "TransportWriter", "writer_for"]


class SocketWriter:
    """Writes to a socket what it takes, and leaves only the rest to the reactor.

    The reactor would first have to be asked to tell when the socket can be written to, which it
    nearly always can be; and it would need a copy of its own.

    Args:
        socket: The transport. Nobody else writes to it, and nothing is written once it was told to
            close or to abort.
    """

    __slots__ = ("_socket",)

    def __init__(self, socket: FileDescriptor) -> None:
        self._socket = socket

    def write(self, data: bytes | memoryview) -> None:
        """Send bytes."""
        socket = self._socket
        if socket.dataBuffer or not socket.connected:  # what was left over goes first
            socket.write(bytes(data))
            return
        rest = memoryview(data)
        while rest:
            # Any buffer does for `send`; of a broken connection an exception is returned, which
            # the reactor will be given, too, and act on.
            sent = socket.writeSomeData(cast(bytes, rest))
            if not isinstance(sent, int) or sent <= 0:
                socket.write(bytes(rest))
                # What is left over is in `dataBuffer` from now on; how it ends, the reactor sees.
                if socket.doWrite() is not None:
                    socket.startWriting()
                return
            rest = rest[sent:]


class TransportWriter:
    """Writes to a transport that keeps what it is given.

    Args:
        transport: The transport.
    """

    __slots__ = ("_transport",)

    def __init__(self, transport: StreamTransport) -> None:
        self._transport = transport

    def write(self, data: bytes | memoryview) -> None:
        """Send bytes."""
        self._transport.write(bytes(data))


def writer_for(transport: StreamTransport) -> Writable:
    """Return what writes to a transport: to a socket itself, unless it has begun TLS."""
    if isinstance(transport, FileDescriptor) and not ISSLTransport.providedBy(transport):
        return SocketWriter(transport)
    return TransportWriter(transport)
