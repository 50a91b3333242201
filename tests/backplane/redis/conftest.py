"""Fixtures with a redis-server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from tests.backplane.redis.nodes import Node
from tests.backplane.redis.sentinels import SentinelServer
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
def start_sentinel() -> Iterator[Callable[..., SentinelServer]]:
    """Return a function that starts a Sentinel; the test's end removes it."""
    tool("redis-server")
    started: list[SentinelServer] = []

    def start(port: int, *lines: str, certificate: Path | None = None) -> SentinelServer:
        started.append(SentinelServer(port, *lines, certificate=certificate))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.remove()


class Attach:
    """Attaches nodes to a server."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def begin(self, server: RedisServer, **options: Any) -> Node:
        """Return a node that begins to attach."""
        self.nodes.append(Node(server, **options))
        return self.nodes[-1]

    async def __call__(self, server: RedisServer, **options: Any) -> Node:
        """Return a node that is attached."""
        node = self.begin(server, **options)
        await node.first_attempt()
        return node


@pytest.fixture
def attach(running_reactor: object) -> Iterator[Attach]:
    """Return what attaches nodes to a server; the test's end closes them."""
    attach = Attach()
    yield attach
    for node in attach.nodes:
        pytest_twisted.blockon(Deferred.fromCoroutine(node.close()))
