"""The link to Redis: attaching, the fence, and scripts."""

import pytest

from chatd.backplane.redis import keys
from chatd.backplane.redis.backplane import RedisBackplane
from chatd.backplane.redis.script import Script, load
from chatd.errors import StoreError
from tests.backplane.redis.listeners import Notes


@pytest.fixture
def nodes(running_reactor):
    """Return a function that attaches nodes to a server; the test closes them."""

    async def attach(server, **options):
        node = RedisBackplane(running_reactor, server.dial, **options)
        node.notes = Notes()
        node.listen(node.notes)
        node.open()
        await node.first_attempt()
        return node

    return attach


async def test_attach(redis, nodes):
    """An attached node has a lease, and runs scripts."""
    node = await nodes(redis, details=b"about this node")
    lease = keys.key("n", node.link.node)
    assert redis.command("HGET", lease, "details") == b"about this node"
    assert redis.command("PTTL", lease) > 9_000
    await node.close()
    assert redis.command("EXISTS", lease) == 0
    assert node.notes.states == []


async def test_unknown_script(redis, nodes):
    """A script that Redis does not know is given to it."""
    node = await nodes(redis)
    redis.command("SCRIPT", "FLUSH")
    names = [keys.key("nodes")]
    await node.link.call(load("leave"), names)
    with pytest.raises(StoreError, match="FENCED"):
        await node.link.call(load("leave"), names)
    await node.close()


def test_fence():
    """Each script that a link calls has the fence, and begins with what makes Redis heed it."""
    script = load("renew")
    assert isinstance(script, Script)
    assert script.text.startswith("#!lua\n")
    assert "FENCED" in script.text
