"""High load: many messages, many clients, large contents, and clients that do not read."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred, gatherResults

from chatd import ChatFactory, LocalProtocolError
from tests.integration.sessions import (
    Behaviour,
    WatchedFactory,
    all_of,
    connect,
    connect_many,
    leave,
    texts,
    with_and_without_key,
)

MIB = 1024 * 1024


class OneAtATime(ChatFactory):
    """Counts the messages in progress at the same time; each takes a reactor turn."""

    most_at_once = 0
    _at_once = 0

    async def message_received(self, session, message):
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        done: Deferred[Any] = Deferred()
        self.clock.callLater(0, done.callback, None)
        await done
        self._at_once -= 1
        self.publish(session, message)


class LoadBehaviour(Behaviour):
    @with_and_without_key
    async def test_pipelined(self, key):
        """10,000 messages sent at once arrive complete and in order, each with a receipt."""
        said = [f"message {number}" for number in range(10_000)]
        async with self.serve(key) as server:
            alice, bob = await all_of(connect(server, name, key=key) for name in ("alice", "bob"))
            receipts = gatherResults([alice.send(text) for text in said])

            assert await texts(bob, len(said)) == said
            assert [receipt.seq for receipt in await receipts] == list(range(1, 10_001))
            await leave(alice, bob)

    @with_and_without_key
    async def test_many_clients(self, key):
        """50 clients that send at once all get the same messages, in the same order."""
        async with self.serve(key) as server:
            clients = await connect_many(server, 50, key=key)
            receipts = await gatherResults([client.send(client.name) for client in clients])
            order = [receipt.text for receipt in sorted(receipts, key=lambda it: it.seq or 0)]

            assert sorted(order) == sorted(client.name for client in clients)
            for client in clients:
                others = [name for name in order if name != client.name]
                assert await texts(client, 49) == others
            await leave(*clients)
            assert not server.factory.sessions

    @with_and_without_key
    async def test_large_content(self, key):
        """3 MiB of bytes of every value arrive unchanged."""
        content = bytes(range(256)) * (3 * MIB // 256)
        async with self.serve(key) as server:
            alice, bob = await all_of(connect(server, name, key=key) for name in ("alice", "bob"))
            receipt = await alice.send(content, content_type="application/octet-stream")
            heard = await bob.__anext__()

            assert receipt.content == content
            assert heard.content == content
            assert heard.content_type == "application/octet-stream"
            await leave(alice, bob)

    @with_and_without_key
    async def test_slow_reader(self, key):
        """The server disconnects a client that does not read, with `retry`; others miss nothing."""
        async with self.serve(key, WatchedFactory) as server:
            alice, bob, slow = await all_of(
                connect(server, name, key=key) for name in ("alice", "bob", "slow")
            )
            session = await server.wait_for_session("slow")
            slow.stream.pauseProducing()
            while not session.end_reason.called:
                receipt = await alice.send(bytes(MIB))
                assert (await bob.__anext__()).seq == receipt.seq

            assert (await session.end_reason).code == "slow-consumer"
            slow.stream.resumeProducing()
            end_reason = await slow.when_ended()
            assert (end_reason.code, end_reason.retry) == ("slow-consumer", True)
            await leave(alice, bob)

    async def test_flood(self):
        """The server slows down a client that sends too fast, and loses no message."""
        async with self.serve(factory_class=OneAtATime) as server:
            client = await connect(server)
            receipts = await gatherResults([client.send(str(number)) for number in range(300)])

            assert [receipt.text for receipt in receipts] == [str(n) for n in range(300)]
            assert server.factory.most_at_once == 1
            await leave(client)

    async def test_over_the_limit(self):
        """The client refuses content over the server's limit; the session goes on."""
        async with self.serve(max_content=1000) as server:
            client = await connect(server)
            assert client.max_content == 1000
            with pytest.raises(LocalProtocolError):
                client.send(bytes(1001))

            assert (await client.send(bytes(1000))).content == bytes(1000)
            await leave(client)


class TestTCP(LoadBehaviour):
    sockets = "tcp"


class TestUnix(LoadBehaviour):
    sockets = "unix"
