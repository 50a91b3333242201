"""Fixtures with a redis-server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from tests.backplane.redis.nodes import Node
from tests.backplane.redis.servers import RedisServer
from tests.integration.tools import tool


@pytest.fixture
def start_redis() -> Iterator[Callable[..., RedisServer]]:
    """Return a function that starts a redis-server with options; the test's end removes it."""
    tool("redis-server")
    servers: list[RedisServer] = []

    def start(*options: str) -> RedisServer:
        servers.append(RedisServer(*options).start())
        return servers[-1]

    yield start
    for server in servers:
        server.remove()


@pytest.fixture
def redis(start_redis: Callable[..., RedisServer]) -> RedisServer:
    """Return a redis-server, for this test only."""
    return start_redis()


@pytest.fixture
def attach(running_reactor: object) -> Iterator[Callable[..., Awaitable[Node]]]:
    """Return a function that attaches a node to a server; the test's end closes the node."""
    nodes: list[Node] = []

    async def attach_node(server: RedisServer, **options: Any) -> Node:
        nodes.append(Node(server, **options))
        await nodes[-1].first_attempt()
        return nodes[-1]

    yield attach_node
    for node in nodes:
        pytest_twisted.blockon(Deferred.fromCoroutine(node.close()))
