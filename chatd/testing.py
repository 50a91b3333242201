"""Servers to test your service or client with: in memory, or on real sockets.

In memory there is no network, and time passes only when the test advances it::

    server = MemoryServer(EchoFactory)
    client = server.connect("alice")
    receipt = client.send("hello")
    server.pump()
    assert self.successResultOf(receipt).text == "hello"

On real sockets, everything is cleaned up even if the test fails::

    async with running_server(reactor, EchoFactory(reactor), "unix") as server:
        client = await chatd.connect(reactor, server.endpoint)
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, cast, get_args

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.test.iosim import IOPump, connect, makeFakeClient, makeFakeServer

from chatd.arguments import wrong_type
from chatd.client.client import ChatClient, ClientT
from chatd.client.factory import ChatClientFactory
from chatd.daemon.service import ChatService
from chatd.errors import ErrorCode, LocalProtocolError, SessionRefused
from chatd.server.factory import ChatFactory
from chatd.server.factoryoptions import FactoryOptions
from chatd.server.session import SessionT

if TYPE_CHECKING:
    from typing_extensions import TypeVar, Unpack  # no dependency: type checkers know it

    FactoryT = TypeVar("FactoryT", bound=ChatFactory[Any])
    FactoryT_co = TypeVar(
        "FactoryT_co", bound=ChatFactory[Any], covariant=True, default=ChatFactory
    )
else:
    from typing import TypeVar

    FactoryT = TypeVar("FactoryT", bound=ChatFactory)
    FactoryT_co = TypeVar("FactoryT_co", bound=ChatFactory, covariant=True)

__all__ = ["MemoryServer", "RunningServer", "Sockets", "running_server"]

Sockets = Literal["tcp", "unix"]
"""The kinds of sockets that `running_server` can listen on."""


class MemoryServer(Generic[FactoryT_co]):
    """A server without a network, whose clients are connected in memory.

    Nothing happens by itself: `pump` delivers sent data, `advance` lets time pass. Each heartbeat
    adds one to the client's `heartbeats`.

    Args:
        factory: Makes the server's factory; `ChatFactory` or a subclass. It is called with the
            clock and the options. If your factory takes arguments of its own, give
            `functools.partial(YourFactory, greeting="hello")`.
        options: The keyword arguments of `ChatFactory`. Clients have the server's `key`, unless
            they are given another. The times of messages come from the clock, or from
            `time.time` if you give a `store`, which ages messages by its own time. `MemoryServer`
            does not open the store: use a `MemoryStore`, or `running_server`.

    Attributes:
        clock: The clock of the server and its clients.
        factory: The server's factory.
    """

    def __init__(
        self,
        factory: Callable[..., FactoryT_co] = ChatFactory,  # type: ignore[assignment]  # the type's default
        **options: Unpack[FactoryOptions],
    ) -> None:
        if not callable(factory):
            raise wrong_type("factory", factory, "a class such as ChatFactory, or a function")
        self.clock = Clock()
        self.key = options.get("key")
        # A store that ages messages by the real time would drop messages of the clock's first day.
        has_own_time = options.get("store") is not None
        options.setdefault("unix_time", time.time if has_own_time else self.clock.seconds)
        self.factory = factory(self.clock, **options)
        self.factory.check_initialised()
        self._pumps: list[IOPump] = []

    def connect(
        self,
        name: str | None = None,
        *,
        key: bytes | Literal["the server's"] | None = "the server's",
        password: str | None = None,
        rooms: Iterable[str] | None = None,
        protocol: type[ClientT] = ChatClient,  # type: ignore[assignment]  # the type's default
    ) -> ClientT:
        """Connect a client, and pump.

        Its session is then active, unless the server waits for something: a store or an account.
        `when_established` waits too.

        Args:
            name: The name to ask for; None for the server's choice.
            key: The client's key; None for none.
            password: The password of the name.
            rooms: The rooms to join; None for the server's choice.
            protocol: The class of the client.

        Raises:
            SessionRefused: The server refused this client; its `code` says why.
        """
        client_factory = ChatClientFactory(
            self.clock,
            key=self.key if key == "the server's" else key,
            name=name,
            password=password,
            rooms=rooms,
            protocol=protocol,
        )
        server = self.factory.buildProtocol(None)
        if server is None:
            raise SessionRefused(ErrorCode.SHUTTING_DOWN, "the server is shutting down", retry=True)
        client = client_factory.buildProtocol(None)
        self._pumps.append(
            connect(
                server,
                makeFakeServer(server),
                client,
                makeFakeClient(client),
                greet=False,
                clock=self.clock,
            )
        )
        self.pump()
        end = client.connection.end_reason
        if isinstance(end, SessionRefused):
            raise end.again()
        return client

    def session_of(self: MemoryServer[ChatFactory[SessionT]], client: ChatClient) -> SessionT:
        """Return the server's session of an active client.

        Raises:
            LocalProtocolError: The client has no session, or its session is over.
        """
        session = self.factory.sessions.get(client.session_id or "")
        if session is None:
            raise LocalProtocolError("the server has no session of this client")
        return session

    def pump(self) -> None:
        """Deliver all sent bytes, and the answers to them, until none remain."""
        moved = True
        while moved:
            moved = any(call.getTime() <= self.clock.seconds() for call in self.clock.calls)
            self.clock.advance(0)  # a large message takes several turns
            for pump in self._pumps:
                moved = bool(pump.pump()) or moved

    def advance(self, seconds: float, step_s: float = 0.1) -> None:
        """Advance the time in steps, and deliver everything that both sides send.

        Args:
            seconds: The time to advance, in seconds.
            step_s: The length of a step, in seconds; more than 0.

        Raises:
            ValueError: The time would not advance, or go back.
        """
        if not (seconds >= 0 and step_s > 0):
            raise ValueError(f"the time cannot advance by {seconds} s in steps of {step_s} s")
        self.pump()
        until = self.clock.seconds() + seconds
        while (left := until - self.clock.seconds()) > 0:
            self.clock.advance(min(step_s, left))
            self.pump()


@dataclass(frozen=True, slots=True)
class RunningServer(Generic[FactoryT_co]):
    """A server on a real socket.

    Attributes:
        endpoint: The client endpoint string of the server.
        factory: The server's factory.
        service: The server's service; `running_server` stops it, unless the test does.
        path: The path of the UNIX socket, or None for TCP.
        reactor: The reactor of the server, for the clients of a test.
    """

    endpoint: str
    factory: FactoryT_co
    service: ChatService
    path: Path | None
    reactor: Any

    def wait_for_session(
        self: RunningServer[ChatFactory[SessionT]], name: str
    ) -> Deferred[SessionT]:
        """Wait until the session of a client is active.

        Args:
            name: The name of the client.

        Returns:
            A Deferred that fires with the session, at once if it is already active.
        """
        return self.factory.when_active(name)


@asynccontextmanager
async def running_server(
    reactor: Any,  # noqa: ANN401
    factory: FactoryT,
    sockets: Sockets = "tcp",
) -> AsyncIterator[RunningServer[FactoryT]]:
    """Run a server on a free port of this machine, or on a UNIX socket in a new directory.

    When the context ends, even by an exception, the server disconnects its clients with a reason,
    and its port and directory are removed.

    Args:
        reactor: The reactor.
        factory: Serves the connections.
        sockets: `tcp` or `unix`.

    Raises:
        ValueError: There is no such kind of socket.
    """
    if sockets not in get_args(Sockets):
        raise ValueError(f"sockets must be tcp or unix, not {sockets!r}")
    with tempfile.TemporaryDirectory(prefix="chatd-") as directory:
        path = Path(directory) / "chat.sock" if sockets == "unix" else None
        description = "tcp:0:interface=127.0.0.1" if path is None else f"unix:{path}"
        service = ChatService(reactor, factory, [description])
        service.privilegedStartService()
        service.startService()
        try:
            port = None if path else cast(IPv4Address, service.listeners[0].port.getHost()).port
            endpoint = f"tcp:127.0.0.1:{port}" if path is None else description
            yield RunningServer(endpoint, factory, service, path, reactor)
        finally:
            if service.running:
                await service.stopService()
