"""The link to Redis: attaching, the lease, the fence, and the generation."""

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from chatd.backplane.redis import keys
from chatd.backplane.redis.attachment import Attachment
from chatd.backplane.redis.packing import EVENT_MARK
from chatd.backplane.redis.script import load
from chatd.backplane.redis.times import Times
from chatd.errors import StoreError
from chatd.storage.values import Durability
from tests.backplane.redis.nodes import QUIET
from tests.backplane.redis.servers import ALWAYS

WORD_1 = (1).to_bytes(8, "big")
LEAVE = load("leave")
NODES = [keys.key("nodes")]


def generation(server):
    return server.command("HGET", keys.key("run"), "generation")


async def test_attach(redis, attach):
    """An attached node has a lease until it stops."""
    node = await attach(redis, details=lambda: b"about this node")
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
    redis.command("SET", keys.key("layout"), "none of ours")
    with pytest.raises(StoreError, match="upgrade this daemon"):
        await attach(redis)
    redis.command("SET", keys.key("layout"), keys.LAYOUT)


async def test_layout_raised(redis, attach, monkeypatch):
    """A newer chatd raises the layout; then running nodes of an older one write nothing more."""
    quick = Times(longest_wait_s=0.02, patience_s=0.2)
    old = await attach(redis, times=quick)
    before = generation(redis)
    layout = keys.LAYOUT
    monkeypatch.setattr(keys, "LAYOUT", layout + 1)
    new = await attach(redis)
    monkeypatch.setattr(keys, "LAYOUT", layout)
    assert redis.command("GET", keys.key("layout")) == str(layout + 1).encode()
    assert generation(redis) != before
    with pytest.raises(StoreError, match="STALE"):
        await old.set_topic("room lobby", "topic")
    with capturedLogs() as events:
        for _ in range(3):
            with pytest.raises(StoreError, match="upgrade this daemon"):
                await old.link.first_attempt()
    told = [formatEvent(event) for event in events]
    assert len([line for line in told if "upgrade this daemon, too" in line]) == 1
    with pytest.raises(StoreError, match="upgrade this daemon"):
        await old.set_topic("room lobby", "topic")
    assert [state.is_up for state in old.notes.states] == [False]
    assert redis.command("EXISTS", keys.key("m", "room lobby")) == 0
    await new.set_topic("room lobby", "topic")


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


@pytest.mark.parametrize(
    ("durability", "setting", "value", "reason"),
    [
        (Durability.FULL, "appendfsync", "everysec", "needs appendonly yes and appendfsync always"),
        (Durability.NORMAL, "appendfsync", "no", "needs appendonly yes and appendfsync everysec"),
        (Durability.NORMAL, "appendonly", "no", "needs appendonly yes and appendfsync everysec"),
        (Durability.NORMAL, "maxmemory-policy", "allkeys-lru", "which loses messages"),
    ],
)
async def test_settings_changed(start_redis, attach, durability, setting, value, reason):
    """A setting that loses data is noticed at the next heartbeat; the link waits until it fits."""
    server = start_redis(*ALWAYS)
    times = Times(heartbeat_s=0.02, longest_wait_s=0.01)
    node = await attach(server, durability=durability, times=times)
    (_, before) = server.command("CONFIG", "GET", setting)
    server.command("CONFIG", "SET", setting, value)
    await node.notes.until(lambda: len(node.notes.states) == 1)
    assert reason in node.notes.states[0].reason
    with pytest.raises(StoreError, match=reason):
        await node.link.first_attempt()
    server.command("CONFIG", "SET", setting, before)
    await node.notes.until(lambda: len(node.notes.states) == 2)


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


async def test_others(redis, attach):
    """Each node hears the details of the other living nodes, whenever they change."""
    quick = Times(heartbeat_s=0.02, longest_wait_s=0.01)
    ann = attach.begin(redis, details=lambda: b"ann", times=quick)
    heard: list[list[bytes]] = []
    came: Deferred[None] = Deferred()
    went: Deferred[None] = Deferred()

    def hear(others):
        heard.append(sorted(others.values()))
        if heard == [[b"bob"]]:
            came.callback(None)
        if heard == [[b"bob"], []]:
            went.callback(None)

    ann.hear_others(hear)
    await ann.first_attempt()
    redis.command("SADD", NODES[0], "dead")
    bob = attach.begin(redis, details=lambda: b"bob")
    told: Deferred[dict[str, bytes]] = Deferred()
    bob.hear_others(told.callback)
    assert await told == {ann.link.node: b"ann"}
    await came
    await bob.close()
    await went


async def test_closed_while_frozen(redis, attach):
    """A node can stop though Redis stands still."""
    node = await attach(redis, times=Times(patience_s=0.01))
    redis.freeze()
    try:
        await node.close()
    finally:
        redis.thaw()
    with pytest.raises(StoreError, match="the backplane is closed"):
        await node.private_rooms()


async def test_generation_changes(redis, attach, monkeypatch):
    """A node that cannot take its lease in the generation that it found begins again."""
    node = attach.begin(redis, times=Times(longest_wait_s=0.01))
    take = Attachment.take_lease
    tries: list[str] = []

    async def take_late(attachment, length_ms, details):
        tries.append(attachment.generation)
        if len(tries) == 1:
            redis.command("HSET", keys.key("run"), "generation", "other")
        return await take(attachment, length_ms, details)

    monkeypatch.setattr(Attachment, "take_lease", take_late)
    with pytest.raises(StoreError, match="STALE"):
        await node.first_attempt()
    await node.first_attempt()
    assert tries[1] == "other"


@pytest.mark.parametrize(
    ("channel", "data"),
    [
        ("room lobby", EVENT_MARK + b"\xc1"),
        ("room lobby", EVENT_MARK + b"\x90"),  # an empty array
        ("room lobby", EVENT_MARK + b"\x93\xa1\xff\xa0\x80"),  # not UTF-8
        ("room lobby", b"\x00\x01x"),
        ("node", b"abc"),
        ("node", WORD_1 + b"N\xc1"),
        ("node", WORD_1 + b"N\x92\x01\x80"),  # a number for a name
        ("node", WORD_1 + b"Q\x90"),
        ("node", WORD_1 + b"A\xc1"),
        ("node", WORD_1 + b"D\x00\x01x"),
    ],
)
async def test_wrong_push(redis, attach, channel, data):
    """A push that is not in chatd's format is dropped with a line in the log; the link stays."""
    node = await attach(redis, times=QUIET)
    await node.open_stream("room lobby", "Lobby")
    attachment = node.link.attachment
    name = keys.node_channel(node.link.node) if channel == "node" else f"stream {channel}"
    pushed: Deferred[None] = Deferred()
    attachment.pushes.on_push = after(attachment.pushes.on_push, pushed)
    with capturedLogs() as events:
        assert redis.command("PUBLISH", keys.channel(attachment.generation, name), data) == 1
        await pushed
    (event,) = events
    assert " is dropped: " in formatEvent(event)
    await node.set_topic("room lobby", "topic")
    assert node.link.attachment is attachment
    assert node.notes.states == []


def after(function, done):
    """Return a function that also fires a Deferred with its outcome."""

    def call(*arguments):
        try:
            function(*arguments)
        except Exception:
            done.errback()
        else:
            done.callback(None)

    return call
