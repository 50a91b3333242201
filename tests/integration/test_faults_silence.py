"""Half-open connections: a network that drops everything, even the news of an end."""

from contextlib import asynccontextmanager

from twisted.internet import reactor
from twisted.internet.defer import gatherResults

from chatd import ChatClientFactory, ChatClientService
from chatd.testing import running_server
from tests.integration.proxy import running_proxy
from tests.integration.sessions import (
    WatchedFactory,
    Witness,
    connect,
    leave,
    settle,
    with_and_without_key,
)

INTERVAL_S = 0.05


@asynccontextmanager
async def network(key):
    """Run a server behind a proxy."""
    factory = WatchedFactory(reactor, key=key, heartbeat_s=INTERVAL_S)
    async with (
        running_server(reactor, factory) as server,
        running_proxy(reactor, server.endpoint) as proxy,
    ):
        yield server, proxy


@with_and_without_key
async def test_both_sides(key):
    """Both sides notice, the others get an event, and the name is free again."""
    async with network(key) as (server, proxy):
        bob = await connect(server, "bob", key=key, protocol=Witness)
        alice = await connect(proxy, "alice", key=key)
        session = await server.wait_for_session("alice")
        assert (await bob.next_event())["event"] == "joined"
        said = alice.send("a word before")
        await said
        proxy.links[0].swallow()
        lost = alice.send("a word too late")
        ends = await gatherResults([session.end_reason, alice.when_ended()])

        assert [(end.code, end.retry) for end in ends] == [("heartbeat-timeout", True)] * 2
        assert (await bob.next_event())["event"] == "left"
        assert await bob.who("lobby") == ["bob"]
        await settle([lost])
        again = await connect(server, "alice", key=key)
        assert again.name == "alice"
        history = await again.history("lobby")
        assert [message.text for message in history.messages] == ["a word before"]
        await leave(again, bob)


@with_and_without_key
async def test_comes_back(key):
    """A client service reconnects, and no message is missed or delivered twice."""
    async with network(key) as (server, proxy):
        clients = ChatClientFactory(reactor, key=key, name="alice")
        service = ChatClientService(reactor, proxy.endpoint, clients, lambda _: 0.01)
        service.startService()
        bob = await connect(server, "bob", key=key)
        await service.whenConnected()
        for number in range(3):
            proxy.links[-1].swallow()
            receipt = service.send(f"alice {number}")
            await bob.send(f"bob {number}")
            await receipt
        heard = [(await service.__anext__()).text for _ in range(3)]
        assert heard == ["bob 0", "bob 1", "bob 2"]
        history = await bob.history("lobby")
        texts = [message.text for message in history.messages]
        assert sorted(texts) == sorted(f"{name} {n}" for name in ("alice", "bob") for n in range(3))
        await service.stopService()
        await leave(bob)
