"""The link to Redis: attaching, the lease, the fence, and the generation."""

import pytest

from chatd.backplane.redis import keys
from chatd.backplane.redis.script import load
from chatd.errors import StoreError
from tests.backplane.redis.servers import ALWAYS

LEAVE = load("leave")
NODES = [keys.key("nodes")]


def generation(server):
    return server.command("HGET", keys.key("run"), "generation")


async def test_attach(redis, attach):
    """An attached node has a lease until it stops."""
    node = await attach(redis, details=b"about this node")
    lease = keys.key("n", node.link.node)
    assert redis.command("HGET", lease, "details") == b"about this node"
    assert redis.command("PTTL", lease) > 9_000
    assert redis.command("SMEMBERS", NODES[0]) == [node.link.node.encode()]
    await node.close()
    assert redis.command("EXISTS", lease) == 0
    assert redis.command("EXISTS", NODES[0]) == 0
    assert node.notes.states == []


async def test_unknown_script(redis, attach):
    """A script that Redis does not know is given to it."""
    node = await attach(redis)
    redis.command("SCRIPT", "FLUSH")
    assert await node.link.call(load("privaterooms"), [keys.key("private")]) == []


async def test_fenced(redis, attach):
    """A node without its lease writes nothing, and attaches anew."""
    node = await attach(redis)
    redis.command("DEL", keys.key("n", node.link.node))
    with pytest.raises(StoreError, match="FENCED"):
        await node.set_topic("room lobby", "topic")
    assert redis.command("EXISTS", keys.key("m", "room lobby")) == 0
    await node.set_topic("room lobby", "topic")
    down, up = node.notes.states
    assert (down.is_up, up.is_up) == (False, True)
    assert "FENCED" in down.reason


async def test_stale(redis, attach):
    """A node that attached in another generation writes nothing, and attaches anew."""
    node = await attach(redis)
    redis.command("HSET", keys.key("run"), "generation", "other")
    with pytest.raises(StoreError, match="STALE"):
        await node.set_topic("room lobby", "topic")
    assert redis.command("EXISTS", keys.key("m", "room lobby")) == 0
    await node.set_topic("room lobby", "topic")


async def test_layout(redis, attach):
    """A node does not attach to keys that a newer chatd has changed."""
    redis.command("SET", keys.key("layout"), keys.LAYOUT + 1)
    with pytest.raises(StoreError, match="upgrade this daemon"):
        await attach(redis)
    assert generation(redis) is None
    redis.command("SET", keys.key("layout"), keys.LAYOUT)


@pytest.mark.parametrize(("options", "is_kept"), [(ALWAYS, True), (("--appendonly", "yes"), False)])
async def test_restarted(start_redis, attach, options, is_kept):
    """The generation outlives a crash of Redis only where Redis loses nothing then."""
    server = start_redis(*options)
    node = await attach(server)
    await node.set_topic("room lobby", "topic")
    server.command("WAIT", 0, 0)
    before = generation(server)
    server.kill()
    server.start()
    await node.notes.until(lambda: len(node.notes.states) == 2)
    assert (generation(server) == before) is is_kept


async def test_wiped(redis, attach):
    """When all data is lost, there is another generation."""
    node = await attach(redis)
    before = generation(redis)
    redis.command("FLUSHALL")
    with pytest.raises(StoreError, match="STALE"):
        await node.set_topic("room lobby", "topic")
    await node.set_topic("room lobby", "topic")
    assert generation(redis) not in (None, before)


async def test_work_lost(redis, attach):
    """When Redis did less than a node saw it do, there is another generation."""
    node = await attach(redis)
    before = generation(redis)
    node.link.saw_work(5)
    redis.command("DEL", keys.key("n", node.link.node))
    with pytest.raises(StoreError, match="FENCED"):
        await node.set_topic("room lobby", "topic")
    await node.set_topic("room lobby", "topic")
    assert generation(redis) != before
