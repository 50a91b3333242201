"""Twisted's own `ClientService` also keeps a client connected."""

from typing import Any

from twisted.application.internet import ClientService
from twisted.internet import reactor

from chatd import ChatClientFactory, ChatFactory
from chatd.client.endpoints import client_endpoint
from chatd.testing import running_server


async def test_connects_again():
    """A client that the server disconnects with `retry` reconnects, and can send."""
    async with running_server(reactor, ChatFactory(reactor), "unix") as server:
        service = ClientService(
            client_endpoint(reactor, server.endpoint),
            ChatClientFactory(reactor, name="alice"),
            retryPolicy=lambda _: 0.01,
        )
        service.startService()
        first: Any = await service.whenConnected()
        await first.when_established()
        assert (await first.send("one")).text == "one"
        session = await server.wait_for_session("alice")
        session.end("restart", "come back", retry=True)
        await first.when_ended()
        again = await server.wait_for_session("alice")
        second: Any = await service.whenConnected()
        await second.when_established()
        assert second.session_id == again.id
        assert (await second.send("two")).text == "two"
        await service.stopService()
