"""The streams in Redis, as several nodes use them at once."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred, gatherResults

from chatd.backplane.redis import keys
from chatd.backplane.redis.packing import read_push
from chatd.backplane.redis.streams import MAX_PUSH_BYTES
from chatd.backplane.redis.times import Times
from chatd.errors import StoreError
from chatd.storage.privateroom import PrivateRoom
from chatd.storage.values import Retention
from tests.storage.stores import DIRECT, LOBBY, entries, entry


async def opened(redis, attach, **options):
    """Return two nodes that have the lobby open."""
    nodes = [await attach(redis, **options), await attach(redis, **options)]
    for node in nodes:
        await node.open_stream(LOBBY, "Lobby")
    return nodes


def heard(node, *ids):
    """Return a condition: the node has heard exactly these messages of the lobby."""
    return lambda: node.notes.ids(LOBBY) == [str(id) for id in ids]


async def test_pushed(redis, attach):
    """A message that a node appends is heard by the others, with its place and Redis's time."""
    ann, bob = await opened(redis, attach)
    (outcome,) = await ann.append([entry("1", b"\0hello", time=1.0)])
    await bob.notes.until(heard(bob, 1))
    (message,) = bob.notes.messages[LOBBY]
    assert message == outcome.message
    assert (message.seq, message.content) == (1, b"\0hello")
    seconds, _ = redis.command("TIME")
    assert abs(message.time - int(seconds)) < 100
    assert ann.notes.messages == {}


async def test_one_order(redis, attach):
    """Messages that nodes append at the same time have one order, and each is heard once."""
    nodes = await opened(redis, attach)
    nodes.append(await attach(redis))
    await nodes[2].open_stream(LOBBY, "Lobby")
    told: dict[int, list[Any]] = {id(node): [] for node in nodes}

    async def say(node, number):
        for outcome in await node.append(entries(f"{number}.0", f"{number}.1")):
            told[id(node)].append(outcome.message)

    said = [Deferred.fromCoroutine(say(nodes[number % 3], number)) for number in range(60)]
    await gatherResults(said)
    for node in nodes:
        own = told[id(node)]
        await node.notes.until(lambda node=node: len(node.notes.messages[LOBBY]) == 80)
        both = sorted([*own, *node.notes.messages[LOBBY]], key=lambda message: message.seq)
        assert [message.seq for message in both] == list(range(1, 121))
        seqs = [message.seq for message in node.notes.messages[LOBBY]]
        assert seqs == sorted(seqs)
        assert [message.id for message in both] == await node.ids(LOBBY)


async def test_answer_brings(redis, attach):
    """When an append answers, the node has heard all that others appended before."""
    ann, bob = await opened(redis, attach)
    bob.lose_pushes()
    await ann.append(entries(1, 2))
    (outcome,) = await bob.append(entries(3))
    assert bob.notes.ids(LOBBY) == ["1", "2"]
    assert outcome.message.seq == 3
    await ann.append(entries(4))
    assert bob.notes.ids(LOBBY) == ["1", "2"]
    page = await bob.read(LOBBY, limit=1, max_bytes=1)
    assert bob.notes.ids(LOBBY) == ["1", "2", "4"]
    assert page.head.seq == 4
    await ann.append(entries(5))
    assert (await bob.open_stream(LOBBY, "Lobby")).seq == 5
    assert bob.notes.ids(LOBBY) == ["1", "2", "4", "5"]


async def test_pipelined(redis, attach):
    """Appends before the answer of an earlier one bring each message of others once."""
    ann, bob = await opened(redis, attach)
    bob.lose_pushes()
    await ann.append(entries(1))
    said = [Deferred.fromCoroutine(bob.append(entries(f"b{number}"))) for number in range(5)]
    await gatherResults(said)
    assert bob.notes.ids(LOBBY) == ["1"]


async def test_gap_filled(redis, attach):
    """A node reads what a lost push should have brought when the next push shows the gap."""
    ann, bob = await opened(redis, attach)
    bob.lose_pushes(lambda channel, data: bool(data) and read_push(data).last < 4)
    for id in (1, 2, 3):
        await ann.append(entries(id))
    assert bob.notes.ids(LOBBY) == []
    await ann.append(entries(4))
    await bob.notes.until(heard(bob, 1, 2, 3, 4))


async def test_gap_in_pieces(redis, attach):
    """A large gap is read in several pieces."""
    ann, bob = await opened(redis, attach)
    bob.lose_pushes(lambda channel, data: bool(data) and read_push(data).last < 1201)
    await ann.append(entries(*range(1200)))
    await ann.append(entries("last"))
    await bob.notes.until(heard(bob, *range(1200), "last"))


@pytest.mark.parametrize("ask", ["push", "append", "read", "open", "attach"])
async def test_gap_not_kept(redis, attach, ask):
    """A node learns that lost messages are not kept any more, and hears all that are kept."""
    ann, bob = await opened(redis, attach, retention=Retention(max_messages=2))
    bob.lose_pushes(lambda channel, data: bool(data) and len(read_push(data).elements) > 1)
    await ann.append(entries(*range(1, 6)))
    if ask == "push":
        await ann.append(entries(6))
        await bob.notes.until(lambda: bob.notes.messages)
    elif ask == "append":
        ((outcome),) = await bob.append(entries("own"))
        assert outcome.message.seq == 6
    elif ask == "read":
        await bob.read(LOBBY, limit=1, max_bytes=1)
    elif ask == "open":
        await bob.open_stream(LOBBY, "Lobby")
    else:
        bob.cut()
        await bob.notes.until(lambda: [state.is_up for state in bob.notes.states] == [False, True])
    heard = ["5", "6"] if ask == "push" else ["4", "5"]
    assert bob.notes.ids(LOBBY) == heard
    assert bob.notes.misses == [(LOBBY, int(heard[0]) - 1)]
    assert bob.notes.moves == []


async def test_nothing_kept(redis, attach):
    """A node learns of lost messages too if none of them is kept any more."""
    now = 1000.0
    options = {"retention": Retention(max_age_s=10.0), "unix_time": lambda: now}
    ann, bob = await opened(redis, attach, **options)
    bob.lose_pushes()
    await ann.append(entries(1, 2))
    now += 20
    await bob.append(entries("own"))
    assert (bob.notes.misses, bob.notes.ids(LOBBY)) == ([(LOBBY, 2)], [])


async def test_announced(redis, attach):
    """Large messages are not pushed; the other nodes read them."""
    ann, bob = await opened(redis, attach)
    large = b"x" * (MAX_PUSH_BYTES + 1)
    pushes = []
    bob.lose_pushes(lambda channel, data: pushes.append(len(data)))
    await ann.append([entry("1", large), entry("2")])
    await bob.notes.until(heard(bob, 1, 2))
    assert bob.notes.messages[LOBBY][0].content == large
    assert max(pushes) < 1000


async def test_pushed_in_pieces(redis, attach):
    """Many messages of an append are pushed in pieces, so that no node has to read them."""
    ann, bob = await opened(redis, attach)
    pushes: list[Any] = []

    def note(channel, data):
        if data:
            pushes.append(read_push(data))

    bob.lose_pushes(note)  # and loses none
    half = b"x" * (MAX_PUSH_BYTES // 2)
    small = [entry(str(number), b"x" * 100) for number in range(1000)]
    await ann.append([*small, entry("1000", half), entry("1001", half)])
    await bob.notes.until(heard(bob, *range(1002)))
    assert len(pushes) > 3
    assert [push.first for push in pushes] == [1, *(push.last + 1 for push in pushes[:-1])]
    assert pushes[-1].last == 1002
    for push in pushes:
        assert len(push.elements) == push.last - push.first + 1
        assert sum(map(len, push.elements)) <= MAX_PUSH_BYTES


@pytest.mark.parametrize("size", [10, 1_000, 19_000])
async def test_dropped_at_once(redis, attach, size):
    """A large message drops as many old messages as it needs, and no more."""
    ann = await attach(redis, retention=Retention(max_bytes=20_000))
    small = [entry(str(number), b"x" * 50) for number in range(400)]  # as many bytes as are kept
    await ann.append(small)
    await ann.append([entry("large", b"x" * size)])
    page = await ann.read(LOBBY, limit=1000, max_bytes=1_000_000)
    assert (page.head.oldest, page.head.seq) == (1 + -(-size // 50), 401)
    assert len(page.messages) == 401 - -(-size // 50)


async def test_opened_while_said(redis, attach):
    """A room that is opened while others speak in it has no gap after the answer."""
    ann, bob = await attach(redis), await attach(redis)
    await ann.open_stream(LOBBY, "Lobby")
    said = [Deferred.fromCoroutine(ann.append(entries(number))) for number in range(10)]
    opening = Deferred.fromCoroutine(bob.open_stream(LOBBY, "Lobby"))
    said += [Deferred.fromCoroutine(ann.append(entries(number))) for number in range(10, 60)]
    head = await opening
    await gatherResults(said)
    await bob.notes.until(heard(bob, *range(head.seq, 60)))


async def test_appended_while_opened(redis, attach):
    """A message of one's own that is appended while the room is opened is not heard."""
    ann, bob = await opened(redis, attach)
    await bob.release(LOBBY)
    opening = Deferred.fromCoroutine(bob.open_stream(LOBBY, "Lobby"))
    said = [Deferred.fromCoroutine(each.append(entries(id))) for each, id in ((bob, 1), (ann, 2))]
    await gatherResults([opening, *said])
    await bob.append(entries(3))
    await ann.append(entries(4))
    await bob.notes.until(lambda: "4" in bob.notes.ids(LOBBY))
    assert not {"1", "3"} & set(bob.notes.ids(LOBBY))


async def test_repeated_elsewhere(redis, attach):
    """A message that comes again under its id at another node is not delivered twice."""
    ann, bob = await opened(redis, attach)
    (first,) = await ann.append(entries(1))
    (again,) = await bob.append(entries(1))
    assert not again.is_new
    assert again.message == first.message
    assert bob.notes.ids(LOBBY) == ["1"]


async def test_release(redis, attach):
    """A room ends when no node has it open and it keeps no message."""
    ann, bob = await opened(redis, attach)
    await ann.release(LOBBY)
    meta = keys.key("m", LOBBY)
    assert redis.command("EXISTS", meta) == 1
    await bob.append(entries(1))
    assert ann.notes.messages == {}
    await ann.open_stream(LOBBY, "Lobby")
    await bob.release(LOBBY)
    await ann.release(LOBBY)
    assert redis.command("EXISTS", meta) == 1
    assert redis.command("EXISTS", keys.key("h", LOBBY)) == 0


async def test_release_of_dead(redis, attach):
    """A node that is dead does not hold a room."""
    ann, bob = await opened(redis, attach)
    redis.command("HSET", keys.key("h", LOBBY), "dead", 0)
    await ann.release(LOBBY)
    await bob.release(LOBBY)
    assert redis.command("EXISTS", keys.key("m", LOBBY)) == 0


async def test_holders_of_dead(redis, attach):
    """A room forgets the nodes that died with it open, so that nobody is told on their behalf."""
    ann, bob = await opened(redis, attach)
    holders = keys.key("h", LOBBY)
    redis.command("HSET", holders, *(text for n in range(20) for text in (f"dead{n}", 0)))
    await ann.open_stream(LOBBY, "Lobby")
    here = {node.link.node.encode() for node in (ann, bob)}
    assert set(redis.command("HKEYS", holders)) == here
    await bob.release(LOBBY)
    redis.command("CONFIG", "RESETSTAT")
    await ann.append(entries(1))
    assert b"cmdstat_publish:" not in redis.command("INFO", "commandstats")


async def test_stopped(redis, attach):
    """A node that stops lets go of its rooms."""
    (ann, bob) = await opened(redis, attach)
    await ann.close()
    await bob.close()
    assert set(redis.command("KEYS", "*")) == {b"{chatd}run", b"{chatd}layout"}


async def test_cut(redis, attach):
    """A node whose link was cut hears what it missed, and its calls wait meanwhile."""
    ann, bob = await opened(redis, attach)
    bob.cut()
    await bob.notes.until(lambda: bob.notes.states)
    await ann.append(entries(1))
    (outcome,) = await bob.append(entries(2))
    assert outcome.message.seq == 2
    assert bob.notes.ids(LOBBY) == ["1"]
    assert [state.is_up for state in bob.notes.states] == [False, True]
    await ann.append(entries(3))
    await bob.notes.until(heard(bob, 1, 3))


async def test_stands(redis, attach):
    """A node that attaches anew hears where its open rooms stand, with their topics."""
    ann, bob = await opened(redis, attach)
    await ann.set_topic(LOBBY, "tea")
    bob.cut()
    await bob.notes.until(lambda: [state.is_up for state in bob.notes.states] == [False, True])
    assert [(stream, head.topic) for stream, head in bob.notes.heads] == [(LOBBY, "tea")]


async def test_answer_lost(redis, attach):
    """A message whose answer was lost is heard at the next attachment, which has its outcome."""
    ann, bob = await opened(redis, attach)
    bob.link.attachment.commands.dataReceived = lambda data: None
    said = Deferred.fromCoroutine(bob.append(entries(1)))
    await ann.notes.until(heard(ann, 1))
    bob.cut()
    (outcome,) = await said
    assert (outcome.message.seq, outcome.is_new) == (1, False)
    await bob.notes.until(heard(bob, 1))


async def test_never_sent(redis, attach):
    """A message that Redis never got is stored at the next attachment."""
    ann, bob = await opened(redis, attach)
    bob.link.attachment.commands._send = lambda *arguments: None
    said = Deferred.fromCoroutine(bob.append(entries(1)))
    bob.cut()
    (outcome,) = await said
    assert (outcome.message.seq, outcome.is_new) == (1, True)
    await ann.notes.until(heard(ann, 1))
    assert bob.notes.messages == {}


async def test_lease_over(redis, attach):
    """A message is not stored once the node has lost its lease, for its names may be others'."""
    _, bob = await opened(redis, attach)
    bob.link.attachment.commands._send = lambda *arguments: None
    said = Deferred.fromCoroutine(bob.append(entries(1)))
    redis.command("DEL", bob.link.attachment.lease)
    bob.cut()
    with pytest.raises(StoreError, match="the connection is lost"):
        await said
    await bob.append(entries(2))
    assert await bob.ids(LOBBY) == ["2"]


async def test_released_while_cut(redis, attach):
    """A room that is released while the link is lost is let go at the next attachment."""
    _, bob = await opened(redis, attach)
    bob.cut()
    await bob.notes.until(lambda: bob.notes.states)
    await bob.release(LOBBY)
    assert redis.command("HLEN", keys.key("h", LOBBY)) == 1


async def test_wiped(redis, attach):
    """When all data is lost, the members of each open room must join again."""
    ann, bob = await opened(redis, attach)
    await ann.append(entries(1))
    before = (await ann.read(LOBBY, limit=1, max_bytes=1)).head
    redis.command("FLUSHALL")
    with pytest.raises(StoreError, match="STALE"):
        await ann.append(entries(2))
    await ann.notes.until(lambda: ann.notes.moves)
    ((stream, head),) = ann.notes.moves
    assert (stream, head.name, head.seq) == (LOBBY, "Lobby", 0)
    assert head.epoch != before.epoch
    with pytest.raises(StoreError, match="STALE"):
        await bob.append(entries(2))
    await bob.notes.until(lambda: bob.notes.moves)
    await ann.append(entries(1))
    await bob.notes.until(lambda: bob.notes.ids(LOBBY)[-1:] == ["1"])


async def test_open_direct(redis, attach):
    """A direct stream can be opened, and no node holds it."""
    ann = await attach(redis)
    head = await ann.open_stream(DIRECT, "")
    assert (head.name, head.seq) == ("", 0)
    assert redis.command("EXISTS", keys.key("h", DIRECT)) == 0


async def test_open_lost(redis, attach):
    """A room that could not be opened is not open, and Redis is told at the next attachment."""
    ann, bob = [await attach(redis, times=Times(longest_wait_s=0.01)) for _ in range(2)]
    await ann.open_stream(LOBBY, "Lobby")
    bob.link.attachment.commands.dataReceived = lambda data: None
    opening = Deferred.fromCoroutine(bob.open_stream(LOBBY, "Lobby"))
    await bob.link.attachment.subscribe(["another"])  # now the room's channel is heard, too
    bob.cut()
    with pytest.raises(StoreError):
        await opening
    await bob.notes.until(lambda: len(bob.notes.states) == 2)
    assert redis.command("HKEYS", keys.key("h", LOBBY)) == [ann.link.node.encode()]
    await ann.append(entries(1))
    assert bob.notes.messages == {}


async def test_reopened_while_cut(redis, attach):
    """A room that is released and opened again while the link is lost stays open."""
    ann, bob = await opened(redis, attach)
    bob.cut()
    await bob.notes.until(lambda: bob.notes.states)
    releasing = Deferred.fromCoroutine(bob.release(LOBBY))
    opening = Deferred.fromCoroutine(bob.open_stream(LOBBY, "Lobby"))
    await gatherResults([releasing, opening])
    assert redis.command("HLEN", keys.key("h", LOBBY)) == 2
    await ann.append(entries(1))
    await bob.notes.until(heard(bob, 1))


async def test_direct_gone(redis, attach):
    """A large direct message that is not kept any more when a node reads it is left out."""
    ann, bob = [await attach(redis, retention=Retention(max_messages=1)) for _ in range(2)]
    await bob.claim([DIRECT.split(" ")[1]], "1", is_account=False, bans=())
    large = b"x" * (MAX_PUSH_BYTES + 1)
    await ann.append([entry("1", large, stream=DIRECT), entry("2", large, stream=DIRECT)])
    await bob.notes.until(lambda: bob.notes.directs)
    assert [message.id for message in bob.notes.directs] == ["2"]


async def test_direct_order(redis, attach):
    """Direct messages come in order, although large ones must be read."""
    ann, bob = [await attach(redis) for _ in range(2)]
    await bob.claim([DIRECT.split(" ")[1]], "1", is_account=False, bans=())
    contents = [b"x" * (MAX_PUSH_BYTES + 1), b"small"] * 3
    said = [entry(f"{n}", content, stream=DIRECT) for n, content in enumerate(contents)]
    await gatherResults([Deferred.fromCoroutine(ann.append([each])) for each in said])
    await bob.notes.until(lambda: len(bob.notes.directs) == 6)
    assert [message.seq for message in bob.notes.directs] == [1, 2, 3, 4, 5, 6]


async def test_expire(redis, attach):
    """Many old streams end in several steps, but none that a node has open."""
    ann = await attach(redis, retention=Retention(max_age_s=0.001))
    await ann.append([entry("1", stream=f"room r{number}") for number in range(250)])
    await ann.open_stream(LOBBY, "Lobby")
    now = redis.command("TIME")
    while redis.command("TIME") == now or await ann.rooms(limit=1):
        pass
    await ann.expire()
    assert redis.command("KEYS", "*m:*") == [keys.key("m", LOBBY).encode()]


async def test_read_writes_nothing(redis, attach):
    """A read that brings nothing new changes nothing in Redis, so it waits for no disk."""
    ann, bob = await opened(redis, attach)
    await ann.append(entries(1))
    await bob.notes.until(heard(bob, 1))

    def changes():
        info = redis.command("INFO", "persistence").decode().splitlines()
        return next(line for line in info if line.startswith("rdb_changes_since_last_save"))

    before = changes()
    await bob.read(LOBBY, limit=10, max_bytes=1000)
    await ann.read(LOBBY, after=0, limit=10, max_bytes=1000)
    assert changes() == before


async def test_changed_by_others(redis, attach):
    """Anyone who reaches Redis can change a message, and open a private room."""
    node = await attach(redis)
    await node.append([entry("1", b"hello")])
    await node.keep_private(PrivateRoom("den", "Den"), instead_of=None)
    assert len(await node.private_rooms()) == 1
    kept = keys.key("l", LOBBY)
    redis.command("LSET", kept, 0, redis.command("LINDEX", kept, 0).replace(b"hello", b"howdy"))
    redis.command("DEL", keys.key("private"))
    page = await node.read(LOBBY, limit=10, max_bytes=1000)
    assert [message.content for message in page.messages] == [b"howdy"]
    assert await node.private_rooms() == []


async def test_damaged_head(redis, attach):
    """A head that names messages that are not there keeps Redis from nothing: a read ends."""
    ann, _ = await opened(redis, attach)
    await ann.append(entries(1))
    redis.command("HSET", keys.key("m", LOBBY), "seq", 2**52)
    page = await ann.read(LOBBY, limit=10, max_bytes=1000)
    assert (page.head.seq, page.messages) == (2**52, [])
    page = await ann.read(LOBBY, before=2**52, limit=10, max_bytes=1000)
    assert page.messages == []
    page = await ann.read(LOBBY, after=0, limit=10, max_bytes=1000)
    assert [message.id for message in page.messages] == ["1"]
