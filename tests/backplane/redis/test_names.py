"""Names in Redis: which session of which node has which name."""

import pytest
from twisted.internet.defer import Deferred, gatherResults

from chatd.backplane.interface import Found, KeptBan
from chatd.backplane.redis import keys
from chatd.errors import RequestError


async def claim(node, name, session, *, is_account=False, bans=()):
    return await node.claim([name], session, is_account=is_account, bans=bans)


async def code_of(claiming):
    """Return the code with which a claim is refused."""
    with pytest.raises(RequestError) as caught:
        await claiming
    return caught.value.code


async def test_one_holder(redis, attach):
    """A name has one session on all nodes; a departure frees it, also in another spelling."""
    one, two = await attach(redis), await attach(redis)
    assert await claim(one, "Ann", "1") == "Ann"
    assert await code_of(claim(two, "ann", "2")) == "name-taken"
    one.depart("1", "ANN")
    await one.find(["ann"])  # calls are done in order
    assert await claim(two, "ann", "2") == "ann"


async def test_first_free(redis, attach):
    """A session gets the first of its names that is free."""
    one, two = await attach(redis), await attach(redis)
    assert await one.claim(["bob", "bob-2"], "1", is_account=False, bans=()) == "bob"
    assert await two.claim(["bob", "bob-2"], "2", is_account=False, bans=()) == "bob-2"


async def test_at_once(redis, attach):
    """Of a hundred claims at once on two nodes, one wins."""
    nodes = [await attach(redis), await attach(redis)]

    async def attempt(number):
        try:
            return await claim(nodes[number % 2], "ann", str(number))
        except RequestError as error:
            return error.code

    said = await gatherResults([Deferred.fromCoroutine(attempt(n)) for n in range(100)])
    assert sorted(said) == ["ann"] + ["name-taken"] * 99


async def test_account(redis, attach):
    """All sessions of an account have its name; nobody else gets it meanwhile."""
    one, two = await attach(redis), await attach(redis)
    await claim(one, "ann", "1", is_account=True)
    await claim(two, "ann", "2", is_account=True)
    assert await code_of(claim(two, "ann", "3")) == "name-taken"
    assert await two.find(["ann"]) == [Found("ann", 2)]
    await claim(one, "guest-1", "4")
    assert await code_of(claim(one, "guest-1", "5", is_account=True)) == "name-taken"


async def test_foreign_departure(redis, attach):
    """A departure frees only the name of that node's own session."""
    one, two = await attach(redis), await attach(redis)
    await claim(one, "ann", "1")
    two.depart("1", "ann")
    two.depart("2", "ann")
    assert await two.find(["ann"]) == [Found("ann", 1)]


async def test_spelling(redis, attach):
    """A name is found as the session with the newest away text spells it."""
    one, two = await attach(redis), await attach(redis)
    await claim(one, "Ann", "1", is_account=True)
    await claim(two, "ANN", "2", is_account=True)
    for node, session, name in ((one, "1", "Ann"), (two, "2", "ANN"), (one, "1", "Ann")):
        await node.set_away(session, name, "at lunch")
        (found,) = await one.find(["ann"])
        assert found.name == name


async def test_find(redis, attach):
    """A name is found with its spelling, the number of its sessions and the newest away text."""
    one, two = await attach(redis), await attach(redis)
    await claim(one, "Ann", "1", is_account=True)
    await claim(two, "Ann", "2", is_account=True)
    await one.set_away("1", "Ann", "at lunch")
    await two.set_away("2", "Ann", "back at 3")
    found, nobody = await one.find(["ann", "bob"])
    assert (found.name, found.sessions, found.away[1]) == ("Ann", 2, "back at 3")
    assert nobody == Found("", 0)
    first = found.away[0]
    await one.set_away("1", "Ann", "at lunch")
    ((number, text),) = [each.away for each in await two.find(["ann"])]
    assert (number > first, text) == (True, "at lunch")
    await two.set_away("2", "ann", "")
    assert await one.find(["ann"]) == [Found("Ann", 2)]
    await one.set_away("9", "bob", "no such session")
    assert await one.find([]) == []


async def test_too_many(redis, attach):
    """An account has 500 sessions at most, on all nodes; then the first that leaves makes room."""
    one, two = await attach(redis), await attach(redis)
    for number in range(500):
        node = (one, two)[number % 2]
        assert await claim(node, "ann", f"{number}", is_account=True) == "ann"
    for node in (one, two):
        refused = claim(node, "Ann", "new", is_account=True)
        assert await code_of(refused) == "too-many-sessions"
    assert await claim(two, "bob", "new", is_account=True) == "bob"
    one.depart("0", "ann")
    await one.find(["ann"])
    assert await claim(two, "ann", "new", is_account=True) == "ann"
    assert await code_of(claim(two, "ann", "newer", is_account=True)) == "too-many-sessions"


async def test_bans(redis, attach):
    """A ban in force keeps a session out; one that has ended, or of another name, does not."""
    node = await attach(redis, unix_time=lambda: 100.0)
    await node.keep_ban(KeptBan("ann", None, b"for good"))
    await node.keep_ban(KeptBan("bob", 100.5, b"soon over"))
    await node.keep_ban(KeptBan("cat", 99.5, b"over"))
    for name, expected in (("ann", "banned"), ("bob", "banned")):
        assert await code_of(claim(node, name, "1", bans=["192.0.2.1", name])) == expected
    assert await claim(node, "cat", "1", bans=["cat"]) == "cat"
    assert await claim(node, "dan", "2", bans=["dan"]) == "dan"
    kept = {ban.key: (ban.until, ban.value) for ban in await node.bans()}
    assert kept == {
        "ann": (None, b"for good"),
        "bob": (100.5, b"soon over"),
        "cat": (99.5, b"over"),
    }
    assert await node.drop_ban("ann")
    assert not await node.drop_ban("ann")
    assert await claim(node, "ann", "3", bans=["ann"]) == "ann"


async def test_changed_by_others(redis, attach):
    """Anyone who reaches Redis can free a name, and lift a ban."""
    one, two = await attach(redis), await attach(redis)
    await claim(one, "ann", "1")
    await one.keep_ban(KeptBan("bob", None, b"for good"))
    redis.command("DEL", keys.key("s", "ann"), keys.key("bans"))
    assert await claim(two, "ann", "2") == "ann"
    assert await claim(two, "bob", "3", bans=["bob"]) == "bob"


async def test_ended_bans(redis, attach):
    """The next ban that is kept drops the bans that have ended; they cannot be lifted any more."""
    node = await attach(redis, unix_time=lambda: 100.0)
    for key in ("ann", "bob"):
        await node.keep_ban(KeptBan(key, 99.5, b"over"))
    assert [ban.key for ban in await node.bans()] == ["bob"]
    assert not await node.drop_ban("bob")
    assert await node.bans() == []


async def test_dead_node(redis, attach):
    """The name of a session is free when the lease of its node has ended."""
    one, two = await attach(redis), await attach(redis)
    await claim(one, "ann", "1")
    redis.command("DEL", one.link.attachment.lease)
    assert await claim(two, "ann", "2") == "ann"
    assert await two.find(["ann"]) == [Found("ann", 1)]


async def test_attaching_anew(redis, attach):
    """A node that attaches anew keeps its names, takes back those that it lost, gives up others."""
    one, two = await attach(redis), await attach(redis)
    for number, name in enumerate(("ann", "bob", "cat", "gone")):
        await claim(one, name, str(number))
    redis.command("DEL", one.link.attachment.lease)
    await claim(two, "bob", "other")
    one.notes.sessions = [
        ("0", "ann", "", False),
        ("1", "bob", "", False),
        ("2", "cat", "asleep", False),
        ("9", "new", "at lunch", False),
    ]
    one.cut()
    await one.notes.until(lambda: [state.is_up for state in one.notes.states] == [False, True])
    assert one.notes.lost == ["1"]
    found = await two.find(["ann", "bob", "cat", "gone", "new"])
    assert [each.sessions for each in found] == [1, 1, 1, 0, 1]
    assert found[4].away[1] == "at lunch"


async def test_leaving(redis, attach):
    """A node that stops gives up its names and rooms."""
    one, two = await attach(redis), await attach(redis)
    for number in range(250):
        await claim(one, f"n{number}", str(number))
    await one.close()
    assert await two.find(["n0", "n249"]) == [Found("", 0)] * 2
    assert [key for key in redis.command("KEYS", "*") if b"s:" in key or b"c:" in key] == []
