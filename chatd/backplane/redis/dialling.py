"""`Dialler`: connects to Redis on the reactor, and logs in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    UNIXClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import optionsForClientTLS
from twisted.python.failure import Failure

from chatd.backplane.redis.address import RedisAddress
from chatd.backplane.redis.connections import Commands, RedisError, RefusedError, reason_of
from chatd.errors import ConfigurationError, StoreError

__all__ = ["TIMEOUT_S", "Dialler", "login_commands"]

TIMEOUT_S = 5.0
"""How long a connection may take, in seconds."""
P = TypeVar("P", bound=Commands)


class Dialler:
    """Implements `chatd.backplane.redis.connections.Dial`.

    Args:
        reactor: Makes the connections.
        address: Where Redis is; Sentinels are asked at each connection.
        password: Returns the password, or None; called at each connection, so it can change.
    """

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        address: RedisAddress,
        password: Callable[[], str | None],
    ) -> None:
        self._reactor = reactor
        self._address = address
        self._password = password

    async def __call__(self, make: Callable[[], P]) -> P:
        """See `Dial`."""
        address = self._address
        if address.path:
            endpoint: IStreamClientEndpoint = UNIXClientEndpoint(self._reactor, address.path)
            where = address.path
        else:
            host, port = await self._master() if address.master else address.hosts[0]
            endpoint, where = self._endpoint(host, port), f"{host}:{port}"
        commands = await self._connect(endpoint, where, make)
        try:
            for command in login_commands(address, self._read_password()):
                await commands.execute_command(*command)
        except RedisError as error:
            commands.abort()
            what = "refuses the login" if isinstance(error, RefusedError) else "ended the login"
            raise StoreError(f"Redis at {where} {what}: {error}") from error
        except BaseException:
            commands.abort()
            raise
        return commands

    def _read_password(self) -> str | None:
        try:
            return self._password()
        except ConfigurationError as error:
            raise StoreError(str(error)) from error

    def _endpoint(self, host: str, port: int) -> IStreamClientEndpoint:
        endpoint = HostnameEndpoint(self._reactor, host, port, timeout=TIMEOUT_S)
        if not self._address.is_tls:
            return endpoint
        checked: IStreamClientEndpoint = wrapClientTLS(optionsForClientTLS(host), endpoint)
        return checked

    async def _connect(
        self, endpoint: IStreamClientEndpoint, where: str, make: Callable[[], P]
    ) -> P:
        try:
            factory = Factory.forProtocol(make)
            factory.noisy = False  # Twisted's own log lines at start and stop
            connected: Deferred[Any] = endpoint.connect(factory)
            protocol: P = await connected
            return protocol
        except (ConnectError, ConnectionClosed, DNSLookupError, SSL.Error) as error:
            reason = reason_of(Failure(error))
            raise StoreError(f"cannot connect to Redis at {where}: {reason}") from error

    async def _master(self) -> tuple[str, int]:
        """Ask the Sentinels where the server is."""
        reasons = []
        for host, port in self._address.hosts:
            endpoint = HostnameEndpoint(self._reactor, host, port, timeout=TIMEOUT_S)
            try:
                sentinel = await self._connect(endpoint, f"{host}:{port}", Commands)
            except StoreError as error:
                reasons.append(str(error))
                continue
            try:
                asked = sentinel.execute_command(
                    "SENTINEL", "get-master-addr-by-name", self._address.master
                )
                found = await asked.addTimeout(TIMEOUT_S, self._reactor)
            except Exception as error:  # another Sentinel may know
                reasons.append(f"the Sentinel {host}:{port}: {error}")
            else:
                if found is not None:
                    return found[0].decode(), int(found[1])
                reasons.append(f"the Sentinel {host}:{port} knows no {self._address.master}")
            finally:
                sentinel.abort()
        raise StoreError("; ".join(reasons))


def login_commands(address: RedisAddress, password: str | None) -> list[tuple[str, ...]]:
    """Return the commands that begin a connection."""
    commands: list[tuple[str, ...]] = []
    password = address.password if password is None else password
    if password is not None:
        commands.append(("AUTH", address.user or "default", password))
    if address.database:
        commands.append(("SELECT", str(address.database)))
    return commands
