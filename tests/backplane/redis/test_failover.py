"""Fail-over to a replica: by Sentinels, by hand, and to a replica that lags."""

import msgspec
import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from chatd.backplane.interface import KeptBan
from chatd.backplane.redis.address import parse_address
from chatd.backplane.redis.dialling import Dialler, ReactorConnect
from chatd.backplane.redis.times import Times
from chatd.errors import StoreError
from chatd.storage.privateroom import PrivateRoom
from chatd.storage.values import Durability
from tests.backplane.redis.sentinels import MASTER
from tests.backplane.redis.servers import ALWAYS
from tests.storage.stores import LOBBY, entries

QUICK = Times(longest_wait_s=0.05, patience_s=25.0)
NOWHERE = ("127.0.0.1", 1)


class Address:
    """An address behind which a server can take the place of another.

    Attributes:
        server: The server that is there now.
        open: Fires when connections can be made; None if they can.
    """

    def __init__(self, server):
        self.server = server
        self.open = None

    async def dial(self, make):
        """See `Dial`."""
        if self.open is not None:
            await self.open
        return await self.server.dial(make)


def states(node):
    return [state.is_up for state in node.notes.states]


async def up_again(*nodes):
    """Wait until nodes that lost the link have it again."""
    for node in nodes:
        await node.notes.until(lambda node=node: states(node)[-2:] == [False, True])


@pytest.fixture
def pair(start_redis):
    """Return a server and its replica."""
    primary, replica = start_redis(*ALWAYS), start_redis(*ALWAYS)
    replica.follow(primary)
    return primary, replica


async def lobby(nodes):
    """Open the lobby at two nodes, with two messages of the first."""
    ann, bob = nodes
    for node in nodes:
        await node.open_stream(LOBBY, "Lobby")
    outcomes = await ann.append(entries(1, 2))
    assert [outcome.message.seq for outcome in outcomes] == [1, 2]
    await bob.notes.until(lambda: bob.notes.ids(LOBBY) == ["1", "2"])
    return (await ann.read(LOBBY, limit=1, max_bytes=1)).head


def check_told(nodes, before, seq):
    """Check that each node told its members of the loss: the lobby has another epoch."""
    for node in nodes:
        ((stream, head),) = node.notes.moves
        assert stream == LOBBY
        assert head.epoch != before.epoch
        assert head.seq == seq


@pytest.mark.slow
async def test_sentinel(pair, attach, start_sentinel):
    """Sentinel promotes the replica of a dead server, and the nodes go on there, and tell it."""
    primary, replica = pair
    sentinel = start_sentinel(primary.port)
    address = parse_address(f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel.port}/{MASTER}/0")
    dial = Dialler(ReactorConnect(reactor), address, lambda: None)
    nodes = [await attach(primary, dial=dial, times=QUICK) for _ in range(2)]
    ann, bob = nodes
    before = await lobby(nodes)
    primary.wait_for_replica()
    primary.kill()
    await up_again(*nodes)
    assert ann.link.attachment.commands.transport.getPeer().port == replica.port
    check_told(nodes, before, 2)
    assert await ann.ids(LOBBY) == ["1", "2"]
    (outcome,) = await bob.append(entries(3))
    assert outcome.message.seq == 3
    await ann.notes.until(lambda: ann.notes.ids(LOBBY) == ["3"])
    (again,) = await ann.append(entries(1))  # a retry of one that the replica had
    assert not again.is_new
    assert again.message.seq == 1


async def test_by_hand(pair, attach):
    """A replica that takes the place of a dead server behind one address is told as a loss."""
    primary, replica = pair
    address = Address(primary)
    nodes = [await attach(primary, dial=address.dial, times=QUICK) for _ in range(2)]
    ann, bob = nodes
    before = await lobby(nodes)
    primary.wait_for_replica()
    primary.kill()
    address.server = replica  # still a replica
    await ann.notes.until(lambda: states(ann) == [False])
    with pytest.raises(StoreError, match="READONLY"):
        await ann.link.first_attempt()
    replica.promote()
    await up_again(*nodes)
    check_told(nodes, before, 2)
    assert await bob.ids(LOBBY) == ["1", "2"]


async def test_lagging(pair, attach):
    """A replica that lags is told as a loss, and no place is given to another message."""
    primary, replica = pair
    address = Address(primary)
    nodes = [await attach(primary, dial=address.dial, times=QUICK) for _ in range(2)]
    ann, bob = nodes
    before = await lobby(nodes)
    primary.wait_for_replica()
    replica.command("REPLICAOF", *NOWHERE)
    (lost,) = await ann.append(entries("lost"))
    primary.kill()
    replica.promote()
    address.server = replica
    await up_again(*nodes)
    check_told(nodes, before, 2)
    (other,) = await bob.append(entries("other"))
    assert other.message.seq == lost.message.seq == 3
    after = (await bob.read(LOBBY, limit=1, max_bytes=1)).head
    assert after.epoch != before.epoch
    assert await ann.ids(LOBBY) == ["1", "2", "other"]


async def test_replica_that_restarts(pair, attach):
    """A promoted replica that starts anew, and is alone then, is told as a loss, too."""
    primary, replica = pair
    address = Address(primary)
    nodes = [await attach(primary, dial=address.dial, times=QUICK) for _ in range(2)]
    (ann, _) = nodes
    before = await lobby(nodes)
    await ann.link.attachment.renew_lease(10_000)  # the server notes that it is not alone
    primary.wait_for_replica()
    replica.promote()
    await ann.append(entries("lost"))
    primary.kill()
    replica.kill()
    replica.start()
    address.server = replica
    await up_again(*nodes)
    check_told(nodes, before, 2)


async def test_demoted(pair, attach):
    """A server that becomes a replica while nodes are connected is left at the first refusal."""
    primary, replica = pair
    address = Address(primary)
    rare = msgspec.structs.replace(QUICK, heartbeat_s=1000.0, lease_s=4000.0)
    nodes = [await attach(primary, dial=address.dial, times=rare) for _ in range(2)]
    (ann, bob) = nodes
    before = await lobby(nodes)
    primary.wait_for_replica()
    replica.promote()
    address.server = replica
    primary.command("REPLICAOF", "127.0.0.1", replica.port)
    for node in nodes:
        with pytest.raises(StoreError, match="READONLY"):
            await node.append(entries(3))
    await up_again(*nodes)
    check_told(nodes, before, 2)
    await ann.append(entries(3))
    await bob.append(entries(4))
    await ann.notes.until(lambda: ann.notes.ids(LOBBY) == ["4"])


async def test_weaker_server(start_redis, attach):
    """A server that keeps less surely than the daemon promises is not used, until it does."""
    server = start_redis(*ALWAYS)
    weaker = start_redis("--appendonly", "yes", "--appendfsync", "everysec")
    address = Address(server)
    node = await attach(server, dial=address.dial, durability=Durability.FULL, times=QUICK)
    address.server = weaker
    node.cut()
    await node.notes.until(lambda: states(node) == [False])
    with pytest.raises(StoreError, match="--durability full needs"):
        await node.link.first_attempt()
    weaker.command("CONFIG", "SET", "appendfsync", "always")
    await up_again(node)


def copy_of(server):
    """Return the content of all files of a server."""
    return {each: each.read_bytes() for each in server.directory.rglob("*") if each.is_file()}


def put_back(server, copy):
    """Kill a server, and start it again with an earlier content of its files."""
    server.kill()
    for path, data in copy.items():
        path.write_bytes(data)
    server.start()


async def test_copy_put_back(start_redis, attach):
    """A copy that lacks one message is told, though another node works with it first.

    That node did as much since as the copy lacks, so that the sum of the work hides the loss.
    """
    server = start_redis(*ALWAYS)
    place = Address(server)
    ann = await attach(server, dial=place.dial, times=QUICK)
    bob = await attach(server, times=QUICK)
    before = await lobby([ann, bob])
    copy = copy_of(server)
    (lost,) = await ann.append(entries("lost"))
    await bob.notes.until(lambda: bob.notes.ids(LOBBY)[-1:] == ["lost"])
    place.open = Deferred()
    put_back(server, copy)
    await up_again(bob)
    await bob.append(entries("other"))
    place.open.callback(None)
    await up_again(ann)
    assert [stream for stream, _ in ann.notes.moves] == [LOBBY]
    assert lost.message.seq == 3
    assert (await ann.read(LOBBY, limit=1, max_bytes=1)).head.epoch != before.epoch


async def keep_ban(node):
    await node.keep_ban(KeptBan("name eve", None, b"eve"))


async def drop_ban(node):
    assert await node.drop_ban("name old")


async def keep_private(node):
    await node.keep_private(PrivateRoom("den", "Den"), instead_of=None)


async def set_topic(node):
    await node.set_topic(LOBBY, "tea")


async def tell_topic(node):
    await node.tell_topic(LOBBY, {"event": "topic", "topic": "tea"})


@pytest.mark.parametrize("change", [keep_ban, drop_ban, keep_private, set_topic, tell_topic])
async def test_copy_without_change(start_redis, attach, change):
    """A copy that lacks one change of a ban, a private room or a topic has another generation."""
    server = start_redis(*ALWAYS)
    node = await attach(server, times=QUICK)
    await node.keep_ban(KeptBan("name old", None, b"old"))
    before = node.link.attachment.generation
    copy = copy_of(server)
    await change(node)
    put_back(server, copy)
    await up_again(node)
    assert node.link.attachment.generation != before


async def test_copy_that_lacks_nothing(start_redis, attach):
    """A copy has the same generation if only a ban that does not exist was lifted since."""
    server = start_redis(*ALWAYS)
    node = await attach(server, times=QUICK)
    await node.keep_ban(KeptBan("name old", None, b"old"))
    before = node.link.attachment.generation
    copy = copy_of(server)
    assert not await node.drop_ban("name eve")
    put_back(server, copy)
    await up_again(node)
    assert node.link.attachment.generation == before
