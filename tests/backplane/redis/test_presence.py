"""Presence in Redis: which names are in which rooms, and who is told."""

from twisted.internet.defer import Deferred

from chatd.backplane.interface import Inside
from chatd.backplane.redis import keys
from chatd.backplane.redis.connections import all_of
from tests.backplane.redis.nodes import QUIET
from tests.storage.stores import LOBBY

OPS = "room ops"


async def opened(redis, attach, count=2, **options):
    """Return nodes that have the lobby open."""
    nodes = [await attach(redis, **options) for _ in range(count)]
    for node in nodes:
        await node.open_stream(LOBBY, "Lobby")
    return nodes


def told(node):
    """Return the names of the EVENTs that a node heard, with the names that they are about."""
    return [(event["event"], event["name"]) for _, event, _ in node.notes.events]


async def test_joined_and_left(redis, attach):
    """All nodes hear that a name joined and left: once, for sessions on several nodes too."""
    one, two = await opened(redis, attach)
    one.enter(LOBBY, "bob")
    one.enter(LOBBY, "Ann")
    await one.count([LOBBY])  # the calls of a node are done in order, those of several are not
    two.enter(LOBBY, "ann")
    assert await two.count([LOBBY, OPS]) == [2, 0]
    one.quit(LOBBY, "Ann", why={})
    one.enter(LOBBY, "Ann")
    one.quit(LOBBY, "Ann", why={})
    assert await one.count([LOBBY]) == [2]
    two.quit(LOBBY, "ann", why={"by": "eve", "reason": "spam"})
    for node in (one, two):
        await node.notes.until(lambda node=node: len(node.notes.events) == 2)
    joined = (LOBBY, {"event": "joined", "room": "Lobby", "name": "Ann"}, "ann")
    left = {"event": "left", "room": "Lobby", "name": "ann", "by": "eve", "reason": "spam"}
    assert one.notes.events == two.notes.events == [joined, (LOBBY, left, "")]
    assert await one.count([LOBBY]) == [1]


async def test_alone(redis, attach):
    """Nobody is told of the first name that comes into a room, or of the last that leaves."""
    one, two = await opened(redis, attach)
    one.enter(LOBBY, "ann")
    one.quit(LOBBY, "ann", why={})
    await one.count([LOBBY])
    two.quit(LOBBY, "ann", why={})
    one.tell_room(LOBBY, {"event": "topic", "name": "x"})
    await two.notes.until(lambda: bool(two.notes.events))
    assert told(two) == [("topic", "x")]
    assert await two.peopled(limit=10) == []


async def test_limit(redis, attach):
    """A room with more names than the limit announces nothing; nor does a silent change."""
    (node,) = await opened(redis, attach, 1)
    for name, limit, is_silent in (
        ("ann", 9, False),
        ("bob", 9, True),
        ("cat", 2, False),
        ("dan", 4, False),
    ):
        node.notes.limit = limit
        node.enter(LOBBY, name, is_silent=is_silent)
    for name, limit, is_silent in (("dan", 3, False), ("cat", 9, True), ("bob", 2, False)):
        node.notes.limit = limit
        node.quit(LOBBY, name, why={}, is_silent=is_silent)
    await node.notes.until(lambda: len(node.notes.events) == 2)
    assert told(node) == [("joined", "dan"), ("left", "bob")]


async def test_inside(redis, attach):
    """The names in a room come in the order of their folded names, with away texts, in parts."""
    one, two = await opened(redis, attach)
    await one.claim(["Bob"], "1", is_account=False, bans=())
    await one.set_away("1", "Bob", "at lunch")
    for node, name in ((one, "Bob"), (two, "ann"), (two, "Zoë"), (one, "cat")):
        node.enter(LOBBY, name)
    await two.count([LOBBY])
    await one.count([LOBBY])
    first = await one.inside(LOBBY, "", limit=2)
    assert first == Inside([("ann", "ann", ""), ("bob", "Bob", "at lunch")], 4)
    rest = await two.inside(LOBBY, "bob", limit=9)
    assert rest == Inside([("cat", "cat", ""), ("zoë", "Zoë", "")], 4)
    assert await one.inside(OPS, "", limit=9) == Inside([], 0)


async def test_ghost(redis, attach):
    """A name that an earlier chatd left in the order of a room alone is left out."""
    (node,) = await opened(redis, attach, 1)
    node.enter(LOBBY, "bob")
    redis.command("ZADD", keys.key("o", LOBBY), 0, "ann")
    assert await node.inside(LOBBY, "", limit=9) == Inside([("bob", "bob", "")], 1)


async def test_peopled(redis, attach):
    """Rooms with names in them are listed with their heads, in order and in parts."""
    (node,) = await opened(redis, attach, 1)
    await node.open_stream(OPS, "Ops")
    await node.set_topic(OPS, "pager")
    for stream, name in ((OPS, "ann"), (OPS, "bob"), (LOBBY, "ann")):
        node.enter(stream, name)
    rooms = [(head.name, head.topic, count) for head, count in await node.peopled(limit=9)]
    assert rooms == [("Lobby", "", 1), ("Ops", "pager", 2)]
    assert [head.name for head, _ in await node.peopled("lobby", limit=9)] == ["Ops"]
    assert [head.name for head, _ in await node.peopled(limit=1)] == ["Lobby"]


async def test_told(redis, attach):
    """An EVENT for a room is heard on all nodes that have it open, with the names left out."""
    one, two, other = await opened(redis, attach, 3)
    await other.release(LOBBY)
    one.tell_room(LOBBY, {"event": "topic", "topic": "tea", "n": [1, None]}, but="ann")
    for node in (one, two):
        await node.notes.until(lambda node=node: bool(node.notes.events))
    expected = [(LOBBY, {"event": "topic", "topic": "tea", "n": [1, None]}, "ann")]
    assert one.notes.events == two.notes.events == expected
    assert other.notes.events == []


async def test_topics(redis, attach):
    """A topic and its EVENT go together: all nodes hear last of the topic that the room has."""
    nodes = await opened(redis, attach, 2)
    told = [
        Deferred.fromCoroutine(node.tell_topic(LOBBY, {"event": "topic", "topic": f"{n}"}))
        for n in range(20)
        for node in nodes
    ]
    await all_of(told)
    for node in nodes:
        await node.notes.until(lambda node=node: len(node.notes.events) == len(told))
    assert nodes[0].notes.events == nodes[1].notes.events
    head = await nodes[0].open_stream(LOBBY, "lobby")
    assert nodes[0].notes.events[-1][1]["topic"] == head.topic


async def test_dead_node(redis, attach):
    """The names of a dead node leave their rooms, told once, and one node sees to that."""
    one, two, three = await opened(redis, attach, 3, times=QUIET)
    two.enter(LOBBY, "bob")
    await two.count([LOBBY])
    for number in range(250):
        one.enter(LOBBY, f"n{number}")
    two.enter(LOBBY, "n7")
    await one.count([LOBBY])
    await one.claim(["ann"], "1", is_account=False, bans=())
    freeze(redis, one)
    await three.people_beat()
    await two.people_beat()

    def left(node):
        return [name for event, name in told(node) if event == "left"]

    for node in (two, three):
        await node.notes.until(lambda node=node: len(left(node)) == 249)
        assert "n7" not in left(node)
        assert len(set(left(node))) == 249
    assert await two.count([LOBBY]) == [2]
    assert redis.command("KEYS", f"*{one.link.node}") == []


async def test_dead_elsewhere(redis, attach):
    """A name leaves at once if its only other node is dead, before that node is cleared."""
    dead, one, two = await opened(redis, attach, 3, times=QUIET)
    two.enter(LOBBY, "bob")
    await two.count([LOBBY])
    for node in (dead, one):
        node.enter(LOBBY, "ann")
        await node.count([LOBBY])
    freeze(redis, dead)
    one.quit(LOBBY, "ann", why={})
    assert await one.count([LOBBY]) == [1]
    await two.notes.until(lambda: ("left", "ann") in told(two))


async def test_elected(redis, attach):
    """While a node clears what dead nodes had, no other node does so, until its time is over."""
    dead, one, two = await opened(redis, attach, 3, times=QUIET)
    dead.enter(LOBBY, "ann")
    await dead.count([LOBBY])
    await one.people_beat()
    freeze(redis, dead)
    await two.people_beat()
    assert await two.count([LOBBY]) == [1]
    assert 0 < redis.command("PTTL", keys.key("janitor")) <= one.link.times.lease_ms
    redis.command("DEL", keys.key("janitor"))
    await two.people_beat()
    assert await two.count([LOBBY]) == [0]
    assert redis.command("GET", keys.key("janitor")) == two.link.node.encode()


async def test_attaching_anew(redis, attach):
    """A node that attaches anew enters its rooms again, and quits those that it left meanwhile."""
    one, two = await opened(redis, attach)
    await one.open_stream(OPS, "Ops")
    two.enter(LOBBY, "bob")
    await two.count([LOBBY])
    one.enter(LOBBY, "ann")
    one.enter(LOBBY, "gone")
    await one.count([LOBBY])
    one.notes.inside = [(LOBBY, "ann"), (OPS, "ann")]
    one.cut()
    await one.notes.until(lambda: [state.is_up for state in one.notes.states] == [False, True])
    assert await two.count([LOBBY, OPS]) == [2, 1]
    await two.notes.until(lambda: ("left", "gone") in told(two))
    assert told(two) == [("joined", "ann"), ("joined", "gone"), ("left", "gone")]


async def test_thousands(redis, attach):
    """A node that attaches anew gives up and claims thousands of names in few calls."""
    one, two = [await attach(redis, times=QUIET) for _ in range(2)]
    gone, new = ([f"{kind}{number}" for number in range(1000)] for kind in ("gone", "new"))
    rooms = [f"room {name}" for name in gone]
    for name in gone:
        claimed = one.claim([name], f"of {name}", is_account=False, bans=())
        one.enter(f"room {name}", name)
        await claimed
    one.notes.sessions = [(f"of {name}", name, "", False) for name in new]
    one.notes.inside = [(room, name) for room, name in zip(rooms, new, strict=True)]
    before = calls(redis)
    one.cut()
    await one.notes.until(lambda: [state.is_up for state in one.notes.states] == [False, True])
    assert calls(redis) - before < 60
    assert [each.sessions for each in await two.find(gone)] == [0] * 1000
    assert [each.sessions for each in await two.find(new)] == [1] * 1000
    assert await two.count(rooms) == [1] * 1000
    for place in (0, 999):
        inside = await two.inside(rooms[place], "", limit=9)
        assert inside == Inside([(new[place], new[place], "")], 1)


def calls(redis):
    """Return how many scripts the server has run."""
    lines = redis.command("INFO", "commandstats").decode().splitlines()
    (line,) = [line for line in lines if line.startswith("cmdstat_evalsha:")]
    return int(line.partition("calls=")[2].partition(",")[0])


def freeze(redis, node):
    """Let a quiet node stand still until its lease has ended."""
    node.lose_pushes(lambda channel, data: True)
    redis.command("DEL", node.link.attachment.lease)


WHOLE = {"hkeys", "hvals", "smembers", "keys", "sinter", "sunion", "sort"}
"""The commands whose work grows with a collection; HGETALL reads the sessions of one name."""


async def work_of(redis, node, act):
    """Return how often Redis ran each command for something that a node does, and its answers.

    The answers are counted in bytes.
    """
    received = 0
    commands = node.link.attachment.commands
    take = commands.dataReceived

    def count(data):
        nonlocal received
        received += len(data)
        take(data)

    redis.command("CONFIG", "RESETSTAT")
    commands.dataReceived = count
    await act()
    commands.dataReceived = take
    told = redis.command("INFO", "commandstats").decode().splitlines()
    stats = dict(line.split(":", 1) for line in told if line.startswith("cmdstat_"))
    calls = {name.removeprefix("cmdstat_"): stat.split(",")[0] for name, stat in stats.items()}
    return {name: calls[name] for name in calls if not name.startswith("config")}, received


async def test_work_does_not_grow(redis, attach):
    """Joining, leaving and a page of names take the same work in a room of any size."""
    one, _ = await opened(redis, attach, times=QUIET)
    one.notes.limit = 10_000

    async def come_and_go():
        one.enter(LOBBY, "mid")
        await one.inside(LOBBY, "", limit=5)
        one.quit(LOBBY, "mid", why={})
        await one.count(["room 10000"])

    works = []
    for last in (20, 1_000):
        for number in range(last // 2, last):
            one.enter(LOBBY, f"n{number:05}")
        assert await one.count([LOBBY])
        works.append(await work_of(redis, one, come_and_go))
    (few, few_bytes), (many, many_bytes) = works
    assert few == many
    assert not WHOLE & set(many)
    assert abs(many_bytes - few_bytes) < 10
