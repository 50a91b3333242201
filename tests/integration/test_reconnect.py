"""A client service with a server that restarts, and with a server that starts later."""

import socket
from contextlib import asynccontextmanager
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from chatd import ChatClientFactory, ChatClientService, SessionRefused, write_key_file
from chatd.daemon.build import make_service
from chatd.daemon.settings import Settings
from tests.integration.sessions import connect, leave


def free_port():
    """Return a port on which no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Place:
    """The address of a server that runs now, before or later.

    Attributes:
        endpoint: The client endpoint string of the server.
        key: The shared key, or None.
    """

    def __init__(self, listen, endpoint, key_file):
        self._settings = Settings(endpoints=[listen], key_file=key_file)
        self.endpoint = endpoint
        self.key = None if key_file is None else write_key_file(key_file)

    @asynccontextmanager
    async def server(self):
        """Run a server within a context, and yield its factory."""
        service = make_service(reactor, self._settings)
        service.startService()
        try:
            yield service.factory
        finally:
            await service.stopService()

    @asynccontextmanager
    async def client(self, key=None, attempted=lambda number: None):
        """Keep a client connected within a context, and yield its service."""

        def delay(attempt):
            attempted(attempt)
            return 0.01

        factory = ChatClientFactory(reactor, key=key or self.key, name="alice")
        service = ChatClientService(reactor, self.endpoint, factory, delay)
        service.startService()
        try:
            yield service
        finally:
            await service.stopService()


class ReconnectBehaviour:
    def place_in(self, directory, key_file):
        """Return a place in a directory, for the subclass's kind of socket."""
        raise NotImplementedError

    @pytest.fixture(params=["clear", "key"])
    def place(self, request, tmp_path):
        """Return a place with or without a key."""
        return self.place_in(tmp_path, tmp_path / "key" if request.param == "key" else None)

    async def test_restarted_server(self, place):
        """A client reconnects, under its name, to a restarted server."""
        async with place.client() as service:
            async with place.server():
                first = await service.whenConnected()
                assert (await first.send("before")).seq == 1
            assert (await first.when_ended()).code == "shutting-down"

            async with place.server() as factory:
                second = await service.whenConnected()
                assert second is not first
                assert service.client is second
                assert [session.name for session in factory.sessions.values()] == ["alice"]
                assert (await second.send("after")).text == "after"

    async def test_lost_connection(self, place):
        """A client reconnects after its connection was cut."""
        async with place.server() as factory, place.client() as service:
            first = await service.whenConnected()
            first.transport.abortConnection()
            await first.when_ended()

            second = await service.whenConnected()
            assert second is not first
            assert list(factory.sessions) == [second.session_id]

    async def test_server_comes_later(self, place):
        """A client that starts before its server connects when the server is there."""
        tried_twice: Deferred[Any] = Deferred()

        def attempted(number):
            if number == 2:
                reactor.callLater(0, tried_twice.callback, None)

        async with place.client(attempted=attempted) as service:
            await tried_twice
            async with place.server():
                assert (await service.whenConnected()).is_active

    async def test_stop_says_goodbye(self, place):
        """A client whose service stops leaves cleanly, and does not reconnect."""
        async with place.server() as factory:
            async with place.client() as service:
                client = await service.whenConnected()
            assert (await client.when_ended()).is_clean

            other = await connect(place, "alice", key=place.key)
            assert list(factory.sessions) == [other.session_id]
            await leave(other)

    async def test_refused(self, place):
        """A wait for a single attempt fails with the reason of the refusal."""
        async with place.server() as factory, place.client(key=bytes(32)) as service:
            with pytest.raises(SessionRefused, match="key"):
                await service.whenConnected(failAfterFailures=1)
            assert not factory.sessions

    async def test_tries_again_when_refused(self, place):
        """A client whose name is in use connects when the name is free again."""
        async with place.server():
            other = await connect(place, "alice", key=place.key)
            async with place.client() as service:
                with pytest.raises(SessionRefused, match="in use"):
                    await service.whenConnected(failAfterFailures=2)
                await leave(other)
                assert (await service.whenConnected()).name == "alice"


class TestTCP(ReconnectBehaviour):
    def place_in(self, directory, key_file):
        port = free_port()
        return Place(f"tcp:{port}:interface=127.0.0.1", f"tcp:127.0.0.1:{port}", key_file)


class TestUnix(ReconnectBehaviour):
    def place_in(self, directory, key_file):
        return Place(f"unix:{directory}/chat.sock", f"unix:{directory}/chat.sock", key_file)
