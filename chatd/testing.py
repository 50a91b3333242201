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
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.test.iosim import IOPump, connect, makeFakeClient, makeFakeServer

from chatd.client.client import ChatClient
from chatd.client.factory import ChatClientFactory
from chatd.daemon.service import ChatService
from chatd.server.factory import ChatFactory
from chatd.server.session import Session

__all__ = ["MemoryServer", "RunningServer", "Sockets", "running_server"]

Sockets = Literal["tcp", "unix"]
"""The kinds of sockets that `running_server` can listen on."""


class MemoryServer:
    """A server without a network, whose clients are connected in memory.

    Nothing happens by itself: `pump` delivers sent data, `advance` lets time pass.

    Args:
        factory: Makes the server's factory, from the clock and `options`; `ChatFactory` or a
            subclass.
        key: The shared key of the server, and of its clients unless they are given another key.
        options: Passed on to `factory`.

    Attributes:
        clock: The clock of the server and its clients; the times of messages come from it too.
        factory: The server's factory.
    """

    def __init__(
        self,
        factory: Callable[..., ChatFactory] = ChatFactory,
        *,
        key: bytes | None = None,
        **options: Any,  # noqa: ANN401
    ) -> None:
        self.clock = Clock()
        self.key = key
        self.factory = factory(self.clock, key=key, unix_time=self.clock.seconds, **options)
        self._pumps: list[IOPump] = []

    def connect(self, name: str | None = None, **options: Any) -> ChatClient:  # noqa: ANN401
        """Connect a client, and pump until its session is active or has ended.

        Args:
            name: The name to ask for.
            options: Passed on to `ChatClientFactory`; its key is the server's unless given.
        """
        options.setdefault("key", self.key)
        client_factory = ChatClientFactory(self.clock, name=name, **options)
        server = self.factory.buildProtocol(None)
        client = client_factory.buildProtocol(None)
        assert server is not None, "the server is shutting down"
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
        return client

    def session_of(self, client: ChatClient) -> Session:
        """Return the server's session of an active client."""
        assert client.session_id is not None, "the client was not greeted"
        return self.factory.sessions[client.session_id]

    def pump(self) -> None:
        """Deliver everything that was sent, and the answers to it, until nothing is left."""
        self.clock.advance(0)
        moved = True
        while moved:
            moved = False
            for pump in self._pumps:
                moved = bool(pump.pump()) or moved

    def advance(self, seconds: float, step_s: float = 0.1) -> None:
        """Advance the time in steps, and deliver everything that both sides send meanwhile.

        Args:
            seconds: The time to advance, in seconds.
            step_s: The length of a step, in seconds.
        """
        self.pump()
        until = self.clock.seconds() + seconds
        while (left := until - self.clock.seconds()) > 0:
            self.clock.advance(min(step_s, left))
            self.pump()


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server on a real socket.

    Attributes:
        endpoint: The client endpoint string of the server.
        factory: The server's factory.
        service: The server's service; `running_server` stops it, unless the test does.
        path: The path of the UNIX socket, or None for TCP.
    """

    endpoint: str
    factory: ChatFactory
    service: ChatService
    path: Path | None

    def wait_for_session(self, name: str) -> Deferred[Session]:
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
    factory: ChatFactory,
    sockets: Sockets = "tcp",
) -> AsyncIterator[RunningServer]:
    """Run a server on a free port of this machine, or on a UNIX socket in a new directory.

    When the context ends, even by an exception, the server disconnects its clients with a reason,
    and its port and directory are removed.

    Args:
        reactor: The reactor.
        factory: Serves the connections.
        sockets: `tcp` or `unix`.
    """
    with tempfile.TemporaryDirectory(prefix="chatd-") as directory:
        path = Path(directory) / "chat.sock" if sockets == "unix" else None
        description = "tcp:0:interface=127.0.0.1" if path is None else f"unix:{path}"
        service = ChatService(reactor, factory, [description])
        service.privilegedStartService()
        service.startService()
        try:
            port = None if path else cast(IPv4Address, service.listeners[0].port.getHost()).port
            endpoint = f"tcp:127.0.0.1:{port}" if path is None else description
            yield RunningServer(endpoint, factory, service, path)
        finally:
            if service.running:
                await service.stopService()
