"""A Redis that crashes, is full, stands still, or brings no pushes any more."""

import pytest
from twisted.internet.defer import Deferred

from chatd.backplane.interface import KeptBan
from chatd.backplane.redis import keys
from chatd.backplane.redis.connections import Commands
from chatd.backplane.redis.script import load
from chatd.backplane.redis.times import Times
from chatd.errors import RequestError, StoreError
from chatd.storage.privateroom import PrivateRoom
from tests.backplane.redis.servers import ALWAYS
from tests.storage.stores import LOBBY, entries

QUICK = Times(longest_wait_s=0.01, patience_s=20.0)
BEATING = Times(heartbeat_s=0.05, lease_s=10.0, longest_wait_s=0.01, patience_s=20.0)


async def lobby(server, attach, times=QUICK):
    """Return two nodes that have the lobby open, with a message of the first."""
    nodes = [await attach(server, times=times), await attach(server, times=times)]
    for node in nodes:
        await node.open_stream(LOBBY, "Lobby")
    await nodes[0].append(entries(1))
    await nodes[1].notes.until(lambda: nodes[1].notes.ids(LOBBY) == ["1"])
    return nodes


async def restarted(server, *nodes):
    """Kill the server, start it again, and wait for the nodes."""
    server.kill()
    server.start()
    for node in nodes:
        await node.notes.until(lambda node=node: [s.is_up for s in node.notes.states][1:] == [True])


async def test_killed_always(start_redis, attach):
    """With appendfsync always, a crash of Redis is a wait: the epoch stays, nothing is lost."""
    server = start_redis(*ALWAYS)
    ann, bob = await lobby(server, attach)
    before = (await ann.read(LOBBY, limit=1, max_bytes=1)).head
    await restarted(server, ann, bob)
    assert (await ann.read(LOBBY, limit=1, max_bytes=1)).head == before
    await ann.append(entries(2))
    await bob.notes.until(lambda: bob.notes.ids(LOBBY) == ["1", "2"])
    assert ann.notes.moves == bob.notes.moves == []


@pytest.mark.parametrize("options", [("--appendonly", "yes"), ()])
async def test_killed(start_redis, attach, options):
    """Otherwise a crash of Redis tells the members of each room that messages may be lost."""
    server = start_redis(*options)
    ann, bob = await lobby(server, attach)
    before = (await ann.read(LOBBY, limit=1, max_bytes=1)).head
    await restarted(server, ann, bob)
    for node in (ann, bob):
        ((stream, head),) = node.notes.moves
        assert stream == LOBBY
        assert head.epoch != before.epoch
    await ann.append(entries(2))
    await bob.notes.until(lambda: bob.notes.ids(LOBBY) == ["1", "2"])


async def test_once_safe(start_redis, attach):
    """A server that wrote less surely for a while is not trusted after a crash."""
    server = start_redis(*ALWAYS)
    ann, bob = await lobby(server, attach)
    server.command("CONFIG", "SET", "appendfsync", "everysec")
    await ann.link.attachment.renew_lease(10_000)
    await restarted(server, ann, bob)
    assert [stream for stream, _ in ann.notes.moves] == [LOBBY]


async def test_full(redis, attach):
    """A full Redis keeps nothing of an append, is still read, and takes no lease away."""
    ann, bob = await lobby(redis, attach)
    redis.command("CONFIG", "SET", "maxmemory", "1")
    await ann.link.attachment.renew_lease(10_000)
    await (await attach(redis)).close()
    with pytest.raises(StoreError, match="OOM"):
        await bob.append(entries(2, 3))
    assert await bob.ids(LOBBY) == ["1"]
    await bob.release(LOBBY)
    redis.command("CONFIG", "SET", "maxmemory", "0")
    await bob.append(entries(2))
    await ann.notes.until(lambda: ann.notes.ids(LOBBY) == ["2"])
    assert ann.notes.states == bob.notes.states == []


async def test_full_operators(redis, attach):
    """While Redis is full, operators ban and change private rooms, and people enter and read."""
    ann, bob = await lobby(redis, attach)
    redis.command("CONFIG", "SET", "maxmemory", "1")
    ban = KeptBan("name mallory", None, b"why")
    await ann.keep_ban(ban)
    assert await bob.bans() == [ban]
    with pytest.raises(RequestError, match="banned"):
        await bob.claim(["mallory"], "1", is_account=False, bans=(ban.key,))
    assert await ann.drop_ban(ban.key)
    room = PrivateRoom("den", "Den", frozenset({"cat"}))
    await ann.keep_private(room, instead_of=None)
    assert await bob.private_rooms() == [room]
    assert await bob.claim(["cat"], "1", is_account=False, bans=()) == "cat"
    bob.enter(LOBBY, "cat")
    assert (await bob.inside(LOBBY, "", limit=9)).count == 1
    with pytest.raises(StoreError, match="OOM"):
        await bob.set_topic(LOBBY, "tea")


async def test_frozen(redis, attach):
    """A Redis that stands still is a wait, then a lost link; then all goes on in order."""
    ann, bob = await lobby(redis, attach, BEATING)
    redis.freeze()
    said = Deferred.fromCoroutine(bob.append(entries(2)))
    try:
        await bob.notes.until(lambda: bob.notes.states)
        again = Deferred.fromCoroutine(bob.append(entries(2, 3)))
    finally:
        redis.thaw()
    (first,) = await said
    assert [outcome.message.seq for outcome in (first, *await again)] == [2, 2, 3]
    await ann.notes.until(lambda: ann.notes.ids(LOBBY) == ["2", "3"])
    assert await ann.ids(LOBBY) == ["1", "2", "3"]
    assert bob.notes.states[0].reason == "the backplane is silent"


async def test_subscription_dead(redis, attach):
    """A subscription that brings nothing, though it is connected, is found and made anew."""
    ann, bob = await lobby(redis, attach, BEATING)
    bob.link.attachment.pushes.dataReceived = lambda data: None
    await ann.append(entries(2))
    await bob.notes.until(lambda: bob.notes.ids(LOBBY) == ["1", "2"])
    assert [state.is_up for state in bob.notes.states][:1] == [False]


async def test_lease_taken(redis, attach):
    """A node whose lease ended meanwhile writes nothing stale, and hears what it missed."""
    ann, bob = await lobby(redis, attach)
    redis.command("DEL", keys.key("n", bob.link.node))
    bob.lose_pushes()
    await ann.append(entries(2))
    with pytest.raises(StoreError, match="FENCED"):
        await bob.append(entries(3))
    (outcome,) = await bob.append(entries(3))
    assert outcome.message.seq == 3
    assert bob.notes.ids(LOBBY) == ["1", "2"]


async def test_late_commands(redis, attach):
    """A command of an earlier attachment of a node does nothing, though the node is attached."""
    (ann, _) = await lobby(redis, attach)
    old = ann.link.attachment
    ann.cut()
    await ann.notes.until(lambda: len(ann.notes.states) == 2)
    old.commands = await redis.dial(Commands)
    with pytest.raises(StoreError, match="FENCED"):
        await old.call(load("release"), args=(LOBBY, "1e9"))
    assert redis.command("HEXISTS", keys.key("h", LOBBY), ann.link.node) == 1
    await old.commands.abort()
