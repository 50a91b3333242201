"""The rights of the Redis user: checked at the start and at each attachment, and withdrawn."""

import re

import msgspec
import pytest
from twisted.internet import reactor
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.backplane.redis import keys
from chatd.backplane.redis.address import RedisAddress
from chatd.backplane.redis.dialling import Dialler, ReactorConnect
from chatd.backplane.redis.generation import Seen, find_generation
from chatd.backplane.redis.rights import CALLS, IN_SCRIPTS
from chatd.backplane.redis.script import load
from chatd.backplane.redis.servercheck import check_server
from chatd.backplane.redis.serverstate import ask_state
from chatd.backplane.redis.times import Times
from chatd.errors import ConfigurationError, StoreError
from chatd.storage.values import Durability, Retention
from tests.backplane.redis.consistency import check_lobby
from tests.backplane.redis.nodes import QUIET
from tests.backplane.redis.scripttexts import NAMES
from tests.backplane.redis.servers import ALWAYS
from tests.docs.pages import block
from tests.storage.stores import LOBBY, entries

RIGHTS = block("docs/how-to/several-daemons.md", "ACL SETUSER chatd")
APPENDING = (
    *("evalsha", "hget", "hmget", "hincrby", "rpush", "hset", "zadd", "srem", "hdel", "ltrim"),
    "publish",
)
"""Commands that an append runs."""
QUICK = Times(longest_wait_s=0.05, patience_s=25.0)


def page_words():
    """Return the words of the page's commands that give rights."""
    return [word for line in RIGHTS.splitlines() for word in line.split()[3:]]


def make_user(server, *more):
    """Make the page's user, with more words for ACL SETUSER."""
    for line in RIGHTS.splitlines():
        assert server.command(*line.split()) == b"OK"
    if more:
        set_user(server, *more)


def set_user(server, *words):
    assert server.command("ACL", "SETUSER", "chatd", *words) == b"OK"


def check(server, *, database=0):
    """Check the server for the page's user, as at a daemon's start."""
    address = RedisAddress(path=server.path, user="chatd", database=database)
    warnings: list[str] = []
    check_server(address, lambda: "PASSWORD", Durability.FULL, warnings.append)
    assert warnings == []


def refusal(server):
    """Return the line that refuses the page's user."""
    with pytest.raises(ConfigurationError) as caught:
        check(server)
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    assert server.path in text
    return text


class ListTests(SynchronousTestCase):
    def test_page(self):
        """The page gives the user the rights to exactly the commands that the code runs."""
        words = page_words()
        given = sorted(word[1:] for word in words if word.startswith("+"))
        self.assertEqual(given, sorted((*CALLS, *IN_SCRIPTS)))
        others = [word for word in words if not word.startswith("+")]
        self.assertEqual(others, ["on", ">PASSWORD", f"~{keys.key('*')}", f"&{keys.key('*')}"])

    def test_scripts(self):
        """The list of the scripts' commands has exactly those that the scripts run."""
        text = "".join(load(name).text for name in NAMES if name != "rights")
        found = set(re.findall(r"(?:redis\.p?call|in_chunks)\(\s*'([A-Z]+)'", text))
        self.assertEqual(sorted(map(str.lower, found)), sorted(IN_SCRIPTS))
        others = set(re.findall(r"redis\.p?call\((?!')\w+", text))
        self.assertEqual(others, {"redis.call(command"})  # in in_chunks


def test_enough(start_redis):
    """The page's rights are enough for the check, in another database too."""
    server = start_redis(*ALWAYS)
    make_user(server)
    check(server)
    check(server, database=1)


@pytest.mark.parametrize("command", sorted({*CALLS, *IN_SCRIPTS} - {"select", "config|get"}))
def test_missing(start_redis, command):
    """A user without a command is refused at the start, in one line that names the command."""
    server = start_redis(*ALWAYS)
    make_user(server, f"-{command}")
    text = refusal(server)
    assert re.search(rf"(\+{re.escape(command)}$|'{re.escape(command)}')", text.lower()), text


def test_several_missing(start_redis):
    """All missing commands are named at once, as ACL SETUSER takes them, and these are enough."""
    server = start_redis(*ALWAYS)
    make_user(server, "-hset", "-publish", "-zadd", "-subscribe")
    text = refusal(server)
    _, _, rights = text.partition("its user lacks the rights ")
    assert rights.split() == ["&{chatd}*", "+subscribe", "+publish", "+hset", "+zadd"]
    set_user(server, *rights.split())
    check(server)


def test_no_keys(start_redis):
    """A user without the keys or the channels is told which patterns are missing."""
    server = start_redis(*ALWAYS)
    make_user(server, "resetkeys", "~other*")
    assert refusal(server).endswith("its user lacks the rights ~{chatd}*")
    set_user(server, "~{chatd}*", "resetchannels")
    assert refusal(server).endswith("lacks the rights &{chatd}* +subscribe +publish")


def test_neither_keys_nor_commands(start_redis):
    """A user without keys and commands is told all that is missing at once."""
    server = start_redis(*ALWAYS)
    make_user(server, "resetkeys", "-@all", "+info", "+config|get", "+script|load", "+eval")
    set_user(server, "+evalsha")
    _, _, rights = refusal(server).partition("its user lacks the rights ")
    set_user(server, *rights.split())
    check(server)


def test_read_only_keys(start_redis):
    """A user that may only read the keys is told the commands that write."""
    server = start_redis(*ALWAYS)
    make_user(server, "resetkeys", "%R~{chatd}*")
    words = refusal(server).partition("its user lacks the rights ")[2].split()
    assert "+hset" in words
    assert "+hget" not in words


async def node_of(server, attach, retention, **options):
    """Return a node of the page's user."""

    async def dial(make):
        commands = await server.dial(make)
        try:
            await commands.execute_command("AUTH", "chatd", "PASSWORD")
        except Exception as error:
            await commands.abort()
            raise StoreError(str(error)) from error
        return commands

    return await attach(server, dial=dial, retention=retention, times=QUICK, **options)


async def failure_of(call):
    """Return the text of a failure, or None."""
    try:
        await call
    except StoreError as error:
        return str(error)
    return None


def lines_of(events):
    """Return the lines of the log about the backplane."""
    lines = [formatEvent(event) for event in events]
    return [line for line in lines if line.startswith("the backplane")]


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("command", APPENDING)
async def test_withdrawn(redis, attach, command, is_first):
    """A withdrawn right is in the log once; when it comes back, all goes on, with nothing broken.

    Redis refuses the command in the middle of a script, and takes nothing of it back.
    """
    make_user(redis)
    retention = Retention(max_messages=2)
    node = await node_of(redis, attach, retention)
    other = await attach(redis, retention=retention, times=QUICK)
    for each in (node, other):
        await each.open_stream(LOBBY, "Lobby")
    if not is_first:
        await node.append(entries("a", "b"))
    set_user(redis, f"-{command}")
    with capturedLogs() as events:
        text = await failure_of(node.append(entries(1, 2)))
        if text is not None:
            assert text.startswith(("NOPERM", "ERR The user executing the script can't run"))
            for _ in range(3):
                assert command in await failure_of(node.link.first_attempt())
        set_user(redis, f"+{command}")
        await node.append(entries(1, 2, 3))
    if text is not None:
        told = lines_of(events)
        assert len(told) == len(set(told)) <= 3
        assert told[-1].startswith("the backplane works again after")
    assert await node.ids(LOBBY) == ["2", "3"]
    check_lobby(redis)
    (again,) = await node.append(entries(3))
    assert not again.is_new
    assert await other.ids(LOBBY) == ["2", "3"]


async def test_place_taken(redis, attach):
    """A message that was taken back is new when it comes again, though its place is taken."""
    make_user(redis)
    retention = Retention(max_messages=1)
    node = await node_of(redis, attach, retention)
    other = await attach(redis, retention=retention, times=QUICK)
    await node.append(entries("a"))
    set_user(redis, "-hdel")  # the index keeps the message that is taken back
    assert await failure_of(node.append(entries(1))) is not None
    await other.append(entries("b"))
    set_user(redis, "+hdel")
    (outcome,) = await node.append(entries(1))
    assert outcome.is_new
    assert outcome.message.seq == 3
    check_lobby(redis)


async def test_withdrawn_from_reads(redis, attach):
    """A read that deletes old messages breaks nothing if Redis refuses a command in the middle."""
    make_user(redis)
    now = 1_000_000.0
    options = {"unix_time": lambda: now, "retention": Retention(max_age_s=10.0)}
    node = await node_of(redis, attach, **options)
    await node.append(entries(1))
    now += 6.0
    await node.append(entries(2))
    now += 6.0
    for command in ("hset", "hdel", "ltrim"):
        set_user(redis, f"-{command}")
        assert await failure_of(node.ids(LOBBY)) is not None
        set_user(redis, f"+{command}")
        await node.link.attached()
        kept = redis.command("HMGET", keys.key("m", LOBBY), "seq", "oldest")
        assert kept == [b"2", b"1"]
        assert redis.command("LLEN", keys.key("l", LOBBY)) == 2
    assert await node.ids(LOBBY) == ["2"]
    check_lobby(redis)


ENTERING = "sadd", "hset", "zadd", "hlen", "publish"
QUITTING = "hget", "hlen", "zrem", "hdel", "publish", "srem"
CLEARING = "set", "smembers", "sscan", *QUITTING, "exists", "del"
CLAIMING = "hgetall", "sadd", "hset"
"""Commands that the scripts run."""


async def in_lobby(redis, attach):
    """Return a node of the page's user, and another that has bob in the lobby."""
    make_user(redis)
    node = await node_of(redis, attach, Retention())
    other = await attach(redis, times=QUICK)
    for each in (node, other):
        await each.open_stream(LOBBY, "Lobby")
    other.enter(LOBBY, "bob")
    await other.count([LOBBY])
    return node, other


async def refused_once(redis, node, command, work):
    """Do some work while Redis refuses a command, and attach anew when it does so no more."""
    set_user(redis, f"-{command}")
    text = await failure_of(work())
    assert text is not None
    assert text.startswith(("NOPERM", "ERR The user executing the script can't run"))
    set_user(redis, f"+{command}")
    await node.link.attached()


async def check_people(redis, node, *names):
    """Check that all keys agree on the names in the lobby."""
    assert [key for key, _, _ in (await node.inside(LOBBY, "", limit=9)).names] == [*names]
    expected = [name.encode() for name in names]
    assert sorted(redis.command("HKEYS", keys.key("w", LOBBY))) == expected
    assert redis.command("ZRANGE", keys.key("o", LOBBY), 0, -1) == expected
    noted = [
        each.partition(b"\0")[2]
        for key in redis.command("KEYS", keys.key("p", "*"))
        for each in redis.command("SMEMBERS", key)
    ]
    assert sorted(noted) == expected


def entering(node, name):
    """Return what notes that a name is in the lobby, and fails if Redis refuses it."""
    args = 9, LOBBY, name, name
    return lambda: node.link.call(load("enter"), args=args)


def quitting(node, name):
    """Return what notes that a name has left the lobby, and fails if Redis refuses it."""
    args = 9, b"\x80", LOBBY, name, name
    return lambda: node.link.call(load("quit"), args=args)


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("command", ENTERING)
async def test_withdrawn_from_enter(redis, attach, command, is_there):
    """A name that enters while a right is withdrawn is in the room if it is still there later."""
    node, other = await in_lobby(redis, attach)
    node.notes.inside = [(LOBBY, "ann")] if is_there else []
    await refused_once(redis, node, command, entering(node, "ann"))
    await check_people(redis, other, *(["ann"] if is_there else []), "bob")
    node.notes.inside = []
    await quitting(node, "ann")()
    await check_people(redis, other, "bob")


@pytest.mark.parametrize("is_back", [True, False])
@pytest.mark.parametrize("command", QUITTING)
async def test_withdrawn_from_quit(redis, attach, command, is_back):
    """A name that leaves while a right is withdrawn is in the room only if it came back later."""
    node, other = await in_lobby(redis, attach)
    await entering(node, "ann")()
    node.notes.inside = [(LOBBY, "ann")] if is_back else []
    await refused_once(redis, node, command, quitting(node, "ann"))
    await check_people(redis, other, *(["ann"] if is_back else []), "bob")


async def test_withdrawn_from_quit_of_one(redis, attach):
    """A name that leaves on one of its nodes while a right is withdrawn leaves with the other."""
    node, other = await in_lobby(redis, attach)
    await entering(node, "ann")()
    await entering(other, "ann")()
    await refused_once(redis, node, "hset", quitting(node, "ann"))
    await quitting(other, "ann")()
    await check_people(redis, other, "bob")
    await quitting(other, "bob")()
    assert await other.peopled(limit=9) == []


@pytest.mark.parametrize("command", CLEARING)
async def test_withdrawn_from_clear(redis, attach, command):
    """All of a dead node is cleared, though Redis refuses a command in the middle."""
    node, other = await in_lobby(redis, attach)
    dead = await attach(redis, times=QUIET)
    await dead.open_stream(LOBBY, "Lobby")
    await dead.claim(["ann"], "1", is_account=False, bans=())
    await entering(dead, "ann")()
    dead.lose_pushes(lambda channel, data: True)
    redis.command("DEL", dead.link.attachment.lease)
    await refused_once(redis, node, command, node.people_beat)
    await node.people_beat()
    await check_people(redis, other, "bob")
    assert redis.command("KEYS", f"*{dead.link.node}") == []
    assert redis.command("EXISTS", keys.key("s", "ann")) == 0
    assert redis.command("SISMEMBER", keys.key("nodes"), dead.link.node) == 0


@pytest.mark.parametrize("command", CLAIMING)
async def test_withdrawn_from_claim(redis, attach, command):
    """A name whose claim Redis refused in the middle is free."""
    node, other = await in_lobby(redis, attach)

    async def claim():
        await node.claim(["ann"], "1", is_account=False, bans=())

    await refused_once(redis, node, command, claim)
    assert redis.command("KEYS", keys.key("[sc]", "*")) == []
    await other.claim(["ann"], "2", is_account=False, bans=())


async def test_withdrawn_from_words(redis, attach):
    """A word that Redis refuses takes no number, so that no other word is heard twice."""
    node, other = await in_lobby(redis, attach)
    await other.claim(["ann"], "1", is_account=False, bans=())

    def tell(number):
        args = "ann", b"N" + msgspec.msgpack.encode(("ann", {"n": number}))
        return lambda: node.link.call(load("tellname"), args=args)

    await tell(0)()
    await other.notes.until(lambda: other.notes.events[-1:] == [("ann", {"n": 0})])
    await refused_once(redis, node, "rpush", tell(1))
    other.lose_pushes()
    for number in (2, 3):
        await tell(number)()
    await other.people_beat()
    assert [event["n"] for _, event in other.notes.events if "n" in event] == [0, 2, 3]


async def test_withdrawn_from_layout(redis, attach):
    """A layout is raised only with another generation, though Redis refuses a command."""
    make_user(redis)
    node = await node_of(redis, attach, Retention())
    commands, before = node.link.attachment.commands, node.link.attachment.generation
    state = await ask_state(commands)
    redis.command("SET", keys.key("layout"), keys.LAYOUT - 1)
    set_user(redis, "-hset")
    assert await failure_of(find_generation(commands, state, Seen())) is not None
    set_user(redis, "+hset")
    assert await find_generation(commands, state, Seen()) != before
    assert redis.command("GET", keys.key("layout")) == str(keys.LAYOUT).encode()


async def test_taken_back(redis, attach):
    """A message that Redis refuses in the middle leaves nothing behind, in the index neither."""
    make_user(redis)
    node = await node_of(redis, attach, Retention())
    set_user(redis, "-zadd")
    assert await failure_of(node.append(entries(1))) is not None
    assert redis.command("EXISTS", keys.key("l", LOBBY), keys.key("i", LOBBY)) == 0
    set_user(redis, "+zadd")


async def dialled(server, attach, password):
    """Return a node that logs in with the password that a function returns."""
    address = RedisAddress(path=server.path, user="chatd")
    dial = Dialler(ReactorConnect(reactor), address, password)
    return await attach(server, dial=dial, times=QUICK)


@pytest.mark.parametrize(
    ("words", "back", "reason"),
    [
        (["resetpass", ">other"], [">PASSWORD"], "refuses the login: WRONGPASS"),
        (["off"], ["on"], "refuses the login: WRONGPASS"),
        (["-@all"], ["+@all"], "NOPERM"),
        (["resetkeys"], ["~{chatd}*"], "lacks the rights ~{chatd}*"),
        (["resetchannels"], ["&{chatd}*"], "lacks the rights &{chatd}*"),
    ],
)
async def test_locked_out(redis, attach, words, back, reason):
    """A daemon that Redis lets in no more says so once, and goes on when Redis lets it in again."""
    make_user(redis)
    node = await dialled(redis, attach, lambda: "PASSWORD")
    await node.open_stream(LOBBY, "Lobby")
    with capturedLogs() as events:
        set_user(redis, *words)
        node.cut()
        await node.notes.until(lambda: node.notes.states)
        for _ in range(3):
            assert reason in await failure_of(node.link.first_attempt())
        set_user(redis, *back)
        await node.append(entries(1))
    told = lines_of(events)
    assert len([line for line in told if reason in line]) == 1
    assert len(told) == len(set(told))
    assert [state.is_up for state in node.notes.states] == [False, True]
    assert await node.ids(LOBBY) == ["1"]


async def test_no_password(start_redis, attach):
    """A server that asks for a password, while the daemon has none, is the reason, once."""
    server = start_redis()
    node = await attach(server, times=QUICK)
    with capturedLogs() as events:
        server.command("CONFIG", "SET", "requirepass", "secret")
        node.cut()
        await node.notes.until(lambda: node.notes.states)
        for _ in range(3):
            assert "NOAUTH" in await failure_of(node.link.first_attempt())
        server.command("CONFIG", "SET", "requirepass", "")
        await node.append(entries(1))
    assert len([line for line in lines_of(events) if "NOAUTH" in line]) == 1
