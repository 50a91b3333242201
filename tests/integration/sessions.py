"""Servers on TCP and on UNIX sockets, and their clients, for the tests of sessions."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

import chatd
from chatd import ChatClient, ChatClientService, ChatFactory, Session, SessionEnded
from chatd.testing import Sockets, running_server

KEY = bytes(range(32))

with_and_without_key = pytest.mark.parametrize("key", [None, KEY], ids=["clear", "key"])


class Behaviour:
    """Tests that a subclass runs on a single kind of socket."""

    sockets: ClassVar[Sockets]

    def serve(self, key: bytes | None = None, factory_class=ChatFactory, **options):
        """Run a server within a context."""
        factory = factory_class(reactor, key=key, **options)
        return running_server(reactor, factory, self.sockets)


async def connect(server, name: str | None = None, **options) -> Any:
    """Connect a client, of the class `protocol`, with the server's key."""
    return await chatd.connect(reactor, server.endpoint, name=name, **options)


async def connect_many(server, number: int, **options) -> list[ChatClient]:
    """Connect clients together; the first is called c0."""
    return await all_of(connect(server, f"c{index}", **options) for index in range(number))


async def all_of(coroutines) -> list[Any]:
    """Run coroutines at once, and return their results."""
    return await gatherResults(list(map(Deferred.fromCoroutine, coroutines)), consumeErrors=True)


async def leave(*clients: ChatClient) -> None:
    """Disconnect clients, and wait until their connections are closed."""
    await gatherResults([client.disconnect() for client in clients])


async def settle(asked: Sequence[Deferred[Any]]) -> None:
    """Wait until each answer has come, or the session has ended."""
    for answer in asked:
        with suppress(SessionEnded):
            await answer


async def texts(client: ChatClient | ChatClientService, number: int) -> list[str]:
    """Return the texts of the next messages."""
    return [(await client.__anext__()).text for _ in range(number)]


class Witness(ChatClient):
    """A client that lets a test wait for events."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self._events: list[dict[Any, Any]] = []
        self._waiter: Deferred[None] | None = None

    def event_received(self, event: dict[Any, Any]) -> None:
        self._events.append(event)
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(None)

    async def next_event(self) -> dict[Any, Any]:
        """Return the oldest event that was not returned before."""
        while not self._events:
            self._waiter = Deferred()
            await self._waiter
        return self._events.pop(0)


class Watched(Session):
    """A session whose end a test can wait for."""

    __slots__ = ("end_reason",)

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.end_reason: Deferred[SessionEnded] = Deferred()

    def ended(self, reason: SessionEnded) -> None:
        self.end_reason.callback(reason)


class WatchedFactory(ChatFactory):
    session_class = Watched
