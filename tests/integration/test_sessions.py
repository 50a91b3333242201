"""Sessions from their beginning to their end, over TCP and over UNIX sockets."""

import os
from pwd import getpwuid

import pytest
from twisted.internet import reactor
from twisted.internet.error import ConnectError

import chatd
from chatd import SessionEnded, SessionRefused
from tests.integration.sessions import (
    KEY,
    Behaviour,
    WatchedFactory,
    Witness,
    all_of,
    connect,
    connect_many,
    leave,
    settle,
    texts,
    with_and_without_key,
)


class SessionBehaviour(Behaviour):
    @with_and_without_key
    async def test_connect(self, key):
        """A client gets a session id, its name and a room, by which the server knows it."""
        async with self.serve(key) as server:
            client = await connect(server, "alice", key=key)
            session = await server.wait_for_session("alice")

            assert client.is_active
            assert (client.name, client.room) == ("alice", "lobby")
            assert client.session_id == session.id
            assert session.name == "alice"
            assert session.is_active
            await leave(client)

    async def test_unnamed(self):
        """A client without a name gets its login name if the system reports it, or another."""
        async with self.serve() as server:
            clients = [await connect(server), await connect(server)]

            names = [client.name for client in clients]
            if self.sockets == "unix":
                login = getpwuid(os.getuid()).pw_name
                assert names == [login, f"{login}-2"]
            else:
                assert all(name.startswith("guest-") for name in names)
                assert names[0] != names[1]
            await leave(*clients)

    @pytest.mark.parametrize(
        ("server_key", "client_key", "code"),
        [
            (KEY, None, "key-required"),
            (None, KEY, "key-unexpected"),
            (KEY, bytes(32), "wrong-key"),
        ],
    )
    async def test_keys_differ(self, server_key, client_key, code):
        """The daemon refuses a client without the server's key with a hint."""
        async with self.serve(server_key) as server:
            with pytest.raises(SessionRefused, match="key") as refusal:
                await connect(server, key=client_key)

            assert refusal.value.code == code
            assert not server.factory.sessions

    @with_and_without_key
    async def test_name_taken(self, key):
        """The server refuses a taken name, which is free again when its client has left."""
        async with self.serve(key) as server:
            first = await connect(server, "alice", key=key)
            with pytest.raises(SessionRefused) as refusal:
                await connect(server, "Alice", key=key)
            assert refusal.value.code == "name-taken"

            await leave(first)
            second = await connect(server, "Alice", key=key)
            assert second.name == "Alice"
            await leave(second)

    @with_and_without_key
    async def test_exchange(self, key):
        """Messages reach everyone, in one order, and the sender's copy is its receipt."""
        async with self.serve(key) as server:
            alice, bob, carol = clients = await all_of(
                connect(server, name, key=key) for name in ("alice", "bob", "carol")
            )
            first = await alice.send("one")
            second = await bob.send("two")
            third = await carol.send("three")

            assert [message.seq for message in (first, second, third)] == [1, 2, 3]
            assert [message.sender for message in (first, second, third)] == [
                "alice",
                "bob",
                "carol",
            ]
            assert await texts(alice, 2) == ["two", "three"]
            assert await texts(bob, 2) == ["one", "three"]
            assert await texts(carol, 2) == ["one", "two"]
            await leave(*clients)

    async def test_presence(self):
        """Members learn of joins and leaves."""
        async with self.serve() as server:
            alice = await connect(server, "alice", protocol=Witness)
            bob = await connect(server, "bob")
            assert await alice.next_event() == {"event": "joined", "room": "lobby", "name": "bob"}
            await leave(bob)
            assert await alice.next_event() == {"event": "left", "room": "lobby", "name": "bob"}
            await leave(alice)

    @with_and_without_key
    async def test_disconnect(self, key):
        """A client that leaves says goodbye: both sides see a clean end."""
        async with self.serve(key, WatchedFactory) as server:
            client = await connect(server, "alice", key=key)
            session = await server.wait_for_session("alice")
            end_reason = await client.disconnect()

            assert end_reason.is_clean
            assert (await session.end_reason).is_clean
            assert [message async for message in client] == []
            assert not server.factory.sessions

    async def test_disconnect_says_everything_first(self):
        """Messages before the goodbye still reach the others."""
        async with self.serve() as server:
            alice, bob = await all_of(connect(server, name) for name in ("alice", "bob"))
            said = [alice.send(str(number)) for number in range(100)]
            leaving = alice.disconnect()

            assert await texts(bob, 100) == [str(number) for number in range(100)]
            assert (await leaving).is_clean
            await settle(said)
            await leave(bob)

    @with_and_without_key
    async def test_ended_by_server(self, key):
        """If the server ends a session, its client learns why, and whether to reconnect."""
        async with self.serve(key) as server:
            client = await connect(server, "alice", key=key)
            session = await server.wait_for_session("alice")
            session.end("kicked", "you were asked to leave")

            end_reason = await client.when_ended()
            assert (end_reason.code, end_reason.retry) == ("kicked", False)
            with pytest.raises(SessionEnded, match="asked to leave"):
                await client.__anext__()

    async def test_connection_lost(self):
        """A cut connection ends the session on both sides as lost, with `retry`."""
        async with self.serve(factory_class=WatchedFactory) as server:
            client = await connect(server, "alice")
            session = await server.wait_for_session("alice")
            receipt = client.send("never received")
            client.transport.abortConnection()

            end_reason = await client.when_ended()
            assert (end_reason.code, end_reason.retry) == ("connection-lost", True)
            assert (await session.end_reason).code == "connection-lost"
            with pytest.raises(SessionEnded):
                await receipt

    @with_and_without_key
    async def test_stop(self, key):
        """A server that stops tells its client to reconnect, and stops listening."""
        async with self.serve(key) as server:
            client = await connect(server, "alice", key=key)
            await server.service.stopService()

            end_reason = await client.when_ended()
            assert (end_reason.code, end_reason.retry) == ("shutting-down", True)
            with pytest.raises(ConnectError):
                await connect(server, key=key)

    @with_and_without_key
    async def test_stop_tells_everyone(self, key):
        """A server that stops tells each of many clients, also recent senders."""
        async with self.serve(key) as server:
            clients = await connect_many(server, 30, key=key)
            said = [client.send("last words") for client in clients]
            await server.service.stopService()

            ends = [await client.when_ended() for client in clients]
            assert {(end.code, end.retry) for end in ends} == {("shutting-down", True)}
            await settle(said)

    async def test_stop_without_clients(self):
        """A server without clients stops too."""
        async with self.serve() as server:
            await server.service.stopService()
            with pytest.raises(ConnectError):
                await chatd.connect(reactor, server.endpoint)


class TestTCP(SessionBehaviour):
    sockets = "tcp"


class TestUnix(SessionBehaviour):
    sockets = "unix"

    async def test_socket_is_removed(self):
        """The socket exists while the server runs, and its directory is gone after."""
        async with self.serve() as server:
            assert server.path.is_socket()
            await server.service.stopService()
            assert not server.path.exists()
        assert not server.path.parent.exists()
