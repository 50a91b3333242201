"""Connections to Redis without a reactor, for the time before the daemon starts."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from chatd.backplane.redis.address import Place
from chatd.backplane.redis.connections import Commands, Reply
from chatd.backplane.redis.dialling import TIMEOUT_S
from chatd.errors import StoreError

__all__ = ["BlockingConnect", "run_blocking"]

P = TypeVar("P", bound=Commands)
T = TypeVar("T")
_CHUNK = 65536


class BlockingConnect:
    """Implements `chatd.backplane.redis.dialling.Connect`; `run_blocking` reads the replies."""

    def __init__(self) -> None:
        self._transports: list[_BlockingTransport] = []

    async def __call__(self, place: Place, make: Callable[[], P]) -> P:
        """See `Connect`."""
        try:
            connection = _socket_of(place)
        except OSError as error:
            raise StoreError(_reason_of(error)) from error
        protocol = make()
        transport = _BlockingTransport(connection, protocol)
        self._transports.append(transport)
        protocol.makeConnection(transport)  # it has as much of a transport as is used
        return protocol

    def in_time(self, reply: Deferred[Any]) -> Awaitable[Reply]:
        """See `Connect`; the socket has the limit."""
        return reply

    def read(self) -> None:
        """Wait for data, and give it to the protocol of the newest connection."""
        self._transports = [each for each in self._transports if each.is_open]
        self._transports[-1].read()

    def close(self) -> None:
        """Close all connections."""
        for each in self._transports:
            each.abortConnection()


class _BlockingTransport:
    """A transport over a blocking socket."""

    def __init__(self, connection: socket.socket, protocol: Commands) -> None:
        self.is_open = True
        self._failure: OSError | None = None  # of a write, told when somebody reads
        self._socket = connection
        self._protocol = protocol

    def write(self, data: bytes) -> None:
        """Write all data."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            self._failure = error

    def read(self) -> None:
        """Wait for data, and give it to the protocol."""
        try:
            if self._failure is not None:
                raise self._failure
            data = self._socket.recv(_CHUNK)
        except OSError as error:
            self._end(StoreError(_reason_of(error)))
            return
        if data:
            self._protocol.dataReceived(data)
        else:
            self._end(ConnectionDone())

    def abortConnection(self) -> None:
        """Close the connection at once."""
        self._end(ConnectionDone())

    def _end(self, reason: Exception) -> None:
        if self.is_open:
            self.is_open = False
            self._socket.close()
            self._protocol.connectionLost(Failure(reason))


def run_blocking(coroutine: Coroutine[Any, Any, T], connect: BlockingConnect) -> T:
    """Run a coroutine to its end that uses only the connections of a `BlockingConnect`."""
    results: list[Any] = []
    done = Deferred.fromCoroutine(coroutine)
    done.addBoth(results.append)
    try:
        while not results:
            connect.read()
    finally:
        connect.close()
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    return result  # type: ignore[no-any-return]


def _socket_of(place: Place) -> socket.socket:
    if place.path:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(TIMEOUT_S)
            connection.connect(place.path)
        except BaseException:
            connection.close()
            raise
        return connection
    plain = socket.create_connection((place.host, place.port), TIMEOUT_S)
    if not place.is_tls:
        return plain
    try:
        context = ssl.create_default_context()
        return context.wrap_socket(plain, server_hostname=place.host)
    except BaseException:
        plain.close()
        raise


def _reason_of(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS failed: certificate verify failed: {error.verify_message}"
    return error.strerror or str(error) or type(error).__name__
