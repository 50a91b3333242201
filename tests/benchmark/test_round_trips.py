"""Benchmarks of round trips on real sockets; only `-m benchmark` runs them."""

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

import chatd
from chatd import ChatFactory
from chatd.testing import running_server

KEY = bytes(range(32))
SMALL = (
    b"a small message of the size of a line that a person would type at a terminal, or thereabouts"
)

pytestmark = pytest.mark.benchmark(max_time=0.5, min_rounds=5, warmup=False)


@pytest.fixture(params=["clear", "key"])
def key(request):
    """Return the key of both sides, or None."""
    return KEY if request.param == "key" else None


@pytest_twisted.async_yield_fixture(params=["tcp", "unix"], ids=["TCP", "UNIX"])
async def server(request, key):
    """Return a running server."""
    async with running_server(reactor, ChatFactory(reactor, key=key), request.param) as server:
        yield server


@pytest_twisted.async_yield_fixture
async def client(server, key):
    """Return a client of it."""
    async with await chatd.connect(reactor, server.endpoint, key=key) as client:
        yield client


def time_async(benchmark, work):
    """Time an `async` function, and return its last result."""
    return benchmark(lambda: pytest_twisted.blockon(Deferred.fromCoroutine(work())))


@pytest.mark.benchmark(group="latency of one small message")
def test_latency(benchmark, client):
    """One small message, and its receipt."""

    async def round_trip():
        return await client.send(SMALL)

    assert time_async(benchmark, round_trip).content == SMALL


@pytest.mark.parametrize("size", [100_000, 1_000_000], ids=["100 KB", "1 MB"])
def test_large_message(benchmark, client, size):
    """One large message, and its receipt."""
    benchmark.group = f"one message of {size:,} bytes"
    content = bytes(size)

    async def round_trip():
        return await client.send(content)

    assert time_async(benchmark, round_trip).content == content


@pytest.mark.parametrize("number", [100, 1_000])
def test_batch(benchmark, client, number):
    """Small messages sent at once, and the receipts of all of them."""
    benchmark.group = f"a batch of {number:,} small messages"

    async def round_trips():
        return await gatherResults([client.send(SMALL) for _ in range(number)])

    assert len(time_async(benchmark, round_trips)) == number


@pytest.mark.parametrize("number", [5, 50])
def test_clients(benchmark, server, key, number):
    """Clients that connect at once, hear one message, and leave."""
    benchmark.group = f"{number} clients at once"

    async def hear_one():
        async with await chatd.connect(reactor, server.endpoint, key=key) as client:
            return await client.send(SMALL)

    async def crowd():
        return await gatherResults([Deferred.fromCoroutine(hear_one()) for _ in range(number)])

    assert len(time_async(benchmark, crowd)) == number


@pytest.mark.parametrize("number", [5, 50])
def test_fan_out(benchmark, server, key, number):
    """A message to a room of many, until the last of them has heard it."""
    benchmark.group = f"one message to {number} clients"

    async def join():
        return await chatd.connect(reactor, server.endpoint, key=key)

    speaker, *others = pytest_twisted.blockon(
        gatherResults([Deferred.fromCoroutine(join()) for _ in range(number)])
    )

    async def tell_all():
        await speaker.send(SMALL)
        return [(await client.__anext__()).content for client in others]

    try:
        assert time_async(benchmark, tell_all) == [SMALL] * (number - 1)
    finally:
        leaving = [client.disconnect() for client in (speaker, *others)]
        pytest_twisted.blockon(gatherResults(leaving))
