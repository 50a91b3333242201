"""The destinations of an out buffer: a socket that is written to at once, or any transport."""

from __future__ import annotations

from typing import cast

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import ISSLTransport

from chatd.transport.outbuffer import Writable
from chatd.transport.streams import StreamTransport

__all__ = ["CopyingTransport", "SocketWriter", "TransportWriter", "writer_for"]


class CopyingTransport:
    """A transport that copies what it writes, so that it can write any buffer."""

    def write(self, data: bytes | memoryview) -> None:
        """Send bytes; they may be overwritten when it returns."""
        raise NotImplementedError


class SocketWriter:
    """Writes to a socket as much as it takes at once, and leaves the rest to the reactor.

    A socket is nearly always writable. The reactor would first wait for the socket to be writable,
    and would copy the bytes.

    Args:
        socket: The transport. Nothing else writes to it, and nothing is written after it was told
            to close or to abort.
    """

    __slots__ = ("_socket",)

    def __init__(self, socket: FileDescriptor) -> None:
        self._socket = socket

    def write(self, data: bytes | memoryview) -> None:
        """Send bytes."""
        socket = self._socket
        if socket.dataBuffer or not socket.connected:  # the reactor's bytes go first
            socket.write(bytes(data))
            return
        rest = memoryview(data)
        while rest:
            # `send` takes any buffer. If the connection is broken, this returns an exception; the
            # reactor will get it, too, and act on it.
            sent = socket.writeSomeData(cast(bytes, rest))
            if not isinstance(sent, int) or sent <= 0:
                socket.write(bytes(rest))
                # The rest is in `dataBuffer` now, and the reactor sees how the connection ends.
                if socket.doWrite() is not None:
                    socket.startWriting()
                return
            rest = rest[sent:]


class TransportWriter:
    """Writes to a transport that keeps the bytes object it is given.

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
    """Return the writer for a transport: a `SocketWriter` for a socket that has not begun TLS.

    Args:
        transport: The transport; itself its writer if it copies what it writes.
    """
    if isinstance(transport, CopyingTransport):
        return transport
    if isinstance(transport, FileDescriptor) and not ISSLTransport.providedBy(transport):
        return SocketWriter(transport)
    return TransportWriter(transport)
