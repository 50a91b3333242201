"""One chat in two servers that share a Redis, over sockets."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.defer import gatherResults

import chatd
from chatd import ChatFactory, SessionRefused
from chatd.backplane.redis import keys
from chatd.chat.names import fold
from chatd.server.accounts import Accounts
from chatd.storage.streamkeys import room_stream
from chatd.testing import running_server
from tests.backplane.redis.nodes import make_backplane
from tests.backplane.redis.recorder import Recorder
from tests.integration.sessions import KEY


@asynccontextmanager
async def two_servers(redis, **options):
    """Run two servers of one chat."""
    from twisted.internet import reactor

    def factory():
        made = {name: make() for name, make in options.items()}
        store = make_backplane(redis, fold=fold)
        return ChatFactory(reactor, key=KEY, store=store, **made)

    async with running_server(reactor, factory()) as one, running_server(reactor, factory()) as two:
        yield one, two


async def join(server, name, **options):
    from twisted.internet import reactor

    return await chatd.connect(
        reactor, server.endpoint, name=name, key=KEY, protocol=Recorder, **options
    )


def event(kind, **fields):
    return {"event": kind, **fields}


async def test_messages(redis):
    """Messages of both servers come in one order, once each, with their receipts."""
    async with two_servers(redis) as servers:
        ann, bob = [await join(each, n) for each, n in zip(servers, ("ann", "bob"), strict=True)]
        sent = [(ann, bob)[n % 2].send(str(n)) for n in range(200)]
        receipts = await gatherResults(sent)
        assert sorted(each.seq for each in receipts) == list(range(1, 201))
        in_order = [each.text for each in sorted(receipts, key=lambda each: each.seq)]
        for client in (ann, bob):
            await client.until(lambda got: len([x for x in got if isinstance(x, str)]) == 200)
            assert [each for each in client.got if isinstance(each, str)] == in_order


async def test_plain_text(redis):
    """Redis has the messages in plain text, although the clients and the servers have a key."""
    async with two_servers(redis) as (one, _):
        ann = await join(one, "ann")
        await ann.send("a word for Redis")
        kept = redis.command("LRANGE", keys.key("l", room_stream("lobby")), 0, -1)
        assert b"a word for Redis" in b"".join(kept)


async def test_people(redis):
    """Names are taken on both servers; who, joined, left, topic and rooms are those of one chat."""
    async with two_servers(redis) as (one, two):
        ann = await join(one, "Ann")
        with pytest.raises(SessionRefused) as caught:
            await join(two, "ANN")
        assert caught.value.code == "name-taken"
        bob = await join(two, "bob")
        assert await bob.who("lobby") == ["Ann", "bob"]
        await ann.until_got(event("joined", room="lobby", name="bob"))
        await bob.topic("lobby", "tea")
        await ann.until_got(event("topic", room="lobby", topic="tea", name="bob"))
        assert (await ann.join("lobby")).topic == "tea"
        await bob.rename("Robert")
        await ann.until_got(event("renamed", old_name="bob", name="Robert"))
        await bob.disconnect()
        await ann.until_got(event("left", room="lobby", name="Robert"))


async def test_direct(redis):
    """Direct messages reach all sessions of both names; nobody of a name is told."""
    async with two_servers(redis) as (one, two):
        ann, bob = await join(one, "ann"), await join(two, "bob")
        receipt = await ann.send("psst", to="bob")
        assert receipt.text == "psst"
        await bob.until_got("psst")
        await bob.away("at lunch")
        message = await ann.send("hello?", to="bob")
        await ann.until_got(event("away", name="bob", text="at lunch", ref=message.id))
        message = await ann.send("anybody?", to="cat")
        await ann.until_got(event("absent", name="cat", ref=message.id))


async def test_resume(redis):
    """A client goes on at the other server, without a gap or a repeat; its retries are known."""
    async with two_servers(redis) as (one, two):
        ann, bob = await join(one, "ann"), await join(two, "bob")
        first = await ann.send("one", id="m1")
        await bob.until_got("one")
        joined = await bob.join("lobby")
        await bob.disconnect()
        await ann.send("two")
        await ann.send("three")
        cat = await join(one, "cat")
        again = await cat.join("lobby", after=first.seq, epoch=joined.epoch, after_id=first.id)
        assert again.recovered
        await cat.until_got("two", "three")
        await ann.disconnect()
        ann = await join(two, "ann")
        assert (await ann.send("one", id="m1")).seq == first.seq
        assert "one" not in cat.got


async def test_operators(redis):
    """A kick and a ban on a server are in force on the other when they are answered."""

    def accounts():
        from twisted.internet import reactor

        checker = InMemoryUsernamePasswordDatabaseDontUse(eve=b"x", ann=b"x", bob=b"x")
        return Accounts(reactor, [checker])

    def policy():
        return chatd.Policy(operators=("eve",))

    async with two_servers(redis, accounts=accounts, policy=policy) as (one, two):
        eve = await join(one, "eve", password="x")
        ann = await join(two, "ann", password="x")
        also_ann = await join(one, "ann", password="x")
        assert (await eve.kick("ann")) == 2
        for client in (ann, also_ann):
            await client.until_got("kicked")
        bob = await join(two, "bob", password="x")
        assert (await eve.ban("bob")) == 1
        await bob.until_got("banned")
        with pytest.raises(SessionRefused) as caught:
            await join(two, "bob", password="x")
        assert caught.value.code == "banned"
        await eve.unban("bob")
        await join(two, "bob", password="x")
        await eve.make_private("ops")
        await eve.invite("ops", "bob")
