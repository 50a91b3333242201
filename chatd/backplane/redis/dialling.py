"""`Dialler`: opens connections to Redis, finds it through its Sentinels, and logs in."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from OpenSSL import SSL
from twisted.internet.defer import Deferred, TimeoutError
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

from chatd.backplane.redis.address import Place, RedisAddress
from chatd.backplane.redis.connections import (
    Commands,
    RedisError,
    RefusedError,
    Reply,
    reason_of,
)
from chatd.errors import ConfigurationError, StoreError

__all__ = ["TIMEOUT_S", "Connect", "Dialler", "ReactorConnect", "login_commands"]

TIMEOUT_S = 5.0
"""How long a connection, or an answer of a Sentinel, may take, in seconds."""
P = TypeVar("P", bound=Commands)


class Connect(Protocol):
    """Connects to a place, without a login."""

    def __call__(self, place: Place, make: Callable[[], P]) -> Awaitable[P]:
        """Return a new connection.

        Args:
            place: Where to connect.
            make: Makes the protocol to connect.

        Raises:
            StoreError: It failed; the text is the reason.
        """

    def in_time(self, reply: Deferred[Any]) -> Awaitable[Reply]:
        """Return the reply to a command, or fail after `TIMEOUT_S`.

        Raises:
            TimeoutError: It took too long.
        """


class Dialler:
    """Implements `chatd.backplane.redis.connections.Dial`.

    Args:
        connect: Connects.
        address: Where Redis is; Sentinels are asked at each connection.
        password: Returns the password, or None; called at each connection, so it can change.
    """

    def __init__(
        self,
        connect: Connect,
        address: RedisAddress,
        password: Callable[[], str | None],
    ) -> None:
        self._connect = connect
        self._address = address
        self._password = password
        self._sentinels = deque(address.places)  # the one that answered last is the first

    async def __call__(self, make: Callable[[], P]) -> P:
        """See `Dial`."""
        if self._address.master:
            return await self._dial_master(make)
        (place,) = self._address.places
        return await self._dial(place, make)

    async def _dial(self, place: Place, make: Callable[[], P]) -> P:
        login = login_commands(self._address, self._read_password())
        commands = await self._reach(place, make)
        try:
            for command in login:
                await commands.execute_command(*command)
        except RedisError as error:
            commands.abort()
            what = "refuses the login" if isinstance(error, RefusedError) else "ended the login"
            raise StoreError(f"Redis at {place} {what}: {error}") from error
        except BaseException:
            commands.abort()
            raise
        return commands

    async def _reach(self, place: Place, make: Callable[[], P]) -> P:
        try:
            return await self._connect(place, make)
        except StoreError as error:
            raise StoreError(f"cannot connect to Redis at {place}: {error}") from error

    def _read_password(self) -> str | None:
        try:
            password = self._password()
        except ConfigurationError as error:
            raise StoreError(str(error)) from error
        return self._address.password if password is None else password

    # Sentinels

    async def _dial_master(self, make: Callable[[], P]) -> P:
        """Connect to the first server that a Sentinel names and that is a master.

        A Sentinel that is cut off from the others may name a server that is dead, or no master any
        more, so the others are asked, too.
        """
        reasons = []
        found: set[Place] = set()
        for _ in self._address.places:
            try:
                place = await self._ask(self._sentinels[0])
                if place not in found:
                    found.add(place)
                    return await self._dial_if_master(place, make)
            except StoreError as error:
                reasons.append(str(error))
            self._sentinels.rotate(-1)  # the next call does not wait for a dead Sentinel again
        raise StoreError("; ".join(dict.fromkeys(reasons)))

    async def _dial_if_master(self, place: Place, make: Callable[[], P]) -> P:
        commands = await self._dial(place, make)
        try:
            info = await self._connect.in_time(commands.execute_command("INFO", "replication"))
            if b"role:master" not in info.splitlines():
                raise StoreError("it is a replica, though a Sentinel calls it the master")
        except (StoreError, RedisError, TimeoutError) as error:
            commands.abort()
            raise StoreError(f"Redis at {place}: {_text(error)}") from error
        except BaseException:
            commands.abort()
            raise
        return commands

    async def _ask(self, place: Place) -> Place:
        """Ask a Sentinel where the server is."""
        master = self._address.master
        try:
            sentinel = await self._connect(place, Commands)
            try:
                found = await self._question(sentinel, master)
            finally:
                sentinel.abort()
        except (StoreError, RedisError, TimeoutError) as error:
            raise StoreError(f"the Sentinel {place}: {_text(error)}") from error
        if found is None:
            raise StoreError(f"the Sentinel {place} knows no {master}")
        return Place(host=found[0].decode(), port=int(found[1]), is_tls=place.is_tls)

    async def _question(self, sentinel: Commands, master: str) -> Reply:
        question = "SENTINEL", "get-master-addr-by-name", master
        try:
            return await self._connect.in_time(sentinel.execute_command(*question))
        except RefusedError as error:
            password = self._read_password()
            if password is None or not str(error).startswith("NOAUTH"):
                raise
            login = _auth(self._address, password)
            await self._connect.in_time(sentinel.execute_command(*login))
            return await self._connect.in_time(sentinel.execute_command(*question))


class ReactorConnect:
    """Implements `Connect` on the reactor.

    Args:
        reactor: Connects.
    """

    def __init__(self, reactor: Any) -> None:  # noqa: ANN401
        self._reactor = reactor

    async def __call__(self, place: Place, make: Callable[[], P]) -> P:
        """See `Connect`."""
        factory = Factory.forProtocol(make)
        factory.noisy = False  # Twisted's own log lines at start and stop
        try:
            connected: Deferred[Any] = self._endpoint(place).connect(factory)
            protocol: P = await connected
            return protocol
        except (ConnectError, ConnectionClosed, DNSLookupError, SSL.Error) as error:
            raise StoreError(reason_of(Failure(error))) from error

    def in_time(self, reply: Deferred[Any]) -> Deferred[Reply]:
        """See `Connect`."""
        return reply.addTimeout(TIMEOUT_S, self._reactor)

    def _endpoint(self, place: Place) -> IStreamClientEndpoint:
        if place.path:
            endpoint: IStreamClientEndpoint = UNIXClientEndpoint(self._reactor, place.path)
            return endpoint
        endpoint = HostnameEndpoint(self._reactor, place.host, place.port, timeout=TIMEOUT_S)
        if place.is_tls:
            endpoint = wrapClientTLS(optionsForClientTLS(place.host), endpoint)
        return endpoint


def login_commands(address: RedisAddress, password: str | None) -> list[tuple[str, ...]]:
    """Return the commands that begin a connection."""
    commands: list[tuple[str, ...]] = []
    if password is not None:
        commands.append(_auth(address, password))
    if address.database:
        commands.append(("SELECT", str(address.database)))
    return commands


def _auth(address: RedisAddress, password: str) -> tuple[str, ...]:
    return "AUTH", address.user or "default", password


def _text(error: Exception) -> str:
    return "it does not answer" if isinstance(error, TimeoutError) else str(error)
