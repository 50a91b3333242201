"""Fixtures with a redis-server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

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
