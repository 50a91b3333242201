"""`connect`: connects a client and establishes its session."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, cast

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IStreamClientEndpoint

from chatd.arguments import check_reactor
from chatd.client.client import ChatClient, ClientT
from chatd.client.endpoints import client_endpoint
from chatd.client.factory import DEFAULT_MAX_CONTENT, ChatClientFactory
from chatd.errors import SessionEnded
from chatd.transport.eventloop import check_runs
from chatd.transport.promise import promised

__all__ = ["connect"]


async def connect(
    reactor: Any,  # noqa: ANN401
    endpoint: str | IStreamClientEndpoint,
    *,
    key: bytes | None = None,
    name: str | None = None,
    password: str | None = None,
    rooms: Iterable[str] | None = None,
    protocol: type[ClientT] = ChatClient,  # type: ignore[assignment]  # the type's default
    max_content: int = DEFAULT_MAX_CONTENT,
) -> ClientT:
    """Connect to a server and wait for its welcome.

    Coroutines of Twisted and of asyncio can await this, and all that the client returns.

    Args:
        reactor: The reactor; in an asyncio program, that of `asyncio_reactor`.
        endpoint: An endpoint, such as a `twisted.internet.endpoints.ProcessEndpoint`, or a string
            such as `tcp:localhost:9999`, `unix:/run/chat.sock` or `wss://chat.example.org/ws`.
        key: The shared key, 32 bytes, or None for none; see `chatd.load_key`.
        name: The name to ask for; None for the server's choice.
        password: The password of the name, for servers with accounts. It is never sent in the clear
            over TCP.
        rooms: The rooms to join; None for the server's choice.
        protocol: The class to build; `ChatClient` or a subclass.
        max_content: Longest content to receive and to send, in bytes; see `ChatClientFactory`.

    Returns:
        The client, with an active session.

    Raises:
        ConfigurationError: The endpoint, the key or `max_content` is invalid, or no attempt to
            connect to this endpoint can succeed.
        twisted.internet.error.ConnectError: No server listens there, or none answers in time; the
            text names the endpoint.
        OSError: There is no such host, or the program of a process cannot be run.
        LocalProtocolError: asyncio runs, and the reactor does not run in its event loop.
        SessionRefused: The server refused this client; its `code` says why.
        SessionEnded: No session began, and no server refused it: the server was silent for 10
            seconds, spoke another protocol or was lost.
    """
    check_reactor("the reactor", reactor)
    check_runs(reactor)
    there = client_endpoint(reactor, endpoint)
    factory = ChatClientFactory(
        reactor,
        key=key,
        name=name,
        password=password,
        rooms=rooms,
        protocol=protocol,
        max_content=max_content,
    )
    client = cast(ClientT, await promised(there.connect(factory)))
    try:
        return await client.when_established()
    except SessionEnded:
        await client.when_ended()  # so that no connection stays open
        raise
    except (CancelledError, asyncio.CancelledError):
        client.disconnect()
        raise
