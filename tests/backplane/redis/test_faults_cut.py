"""Nodes whose connection is cut, or that die, at any command."""

import itertools

import pytest

from chatd.backplane.redis import keys
from chatd.backplane.redis.connections import Commands
from chatd.backplane.redis.packing import unpack
from chatd.backplane.redis.times import Times
from chatd.errors import StoreError
from tests.storage.stores import LOBBY, entries

QUICK = Times(longest_wait_s=0.01, patience_s=30.0)


class CutDial:
    """Dials a server; a connection is cut at one command, before or after Redis gets it.

    Args:
        server: The server.
        at: The number of the command, from 1 on, over all connections; 0 cuts nothing.
        is_sent: Whether Redis gets the command, and only the answer is lost.
        is_deadly: Whether no later connection succeeds.
    """

    def __init__(self, server, at, *, is_sent, is_deadly=False):
        self.server = server
        self.at = at
        self.is_sent = is_sent
        self.is_deadly = is_deadly
        self.count = 0

    async def __call__(self, make):
        if self.is_deadly and self.is_over:
            raise StoreError("dead")
        if make is not Commands:
            return await self.server.dial(make)
        return await self.server.dial(lambda: self._cutting(make()))

    @property
    def is_over(self):
        """Whether the cut is done."""
        return 0 < self.at <= self.count

    def _cutting(self, protocol):
        execute = protocol.execute_command

        def execute_or_cut(*arguments, **options):
            self.count += 1
            if self.count != self.at:
                return execute(*arguments, **options)
            if not self.is_sent:
                protocol.transport.abortConnection()
                return execute(*arguments, **options)
            protocol.dataReceived = lambda data: protocol.transport.abortConnection()
            return execute(*arguments, **options)

        protocol.execute_command = execute_or_cut
        return protocol


async def repeated(call, *args, **options):
    """Call a method until it does not fail; return the answer."""
    while True:
        try:
            return await call(*args, **options)
        except StoreError:
            pass


def check(server):
    """Check that all keys of the lobby agree."""
    found = server.command("HMGET", keys.key("m", LOBBY), "seq", "oldest", "bytes")
    if found[0] is None:
        assert server.command("KEYS", f"*:{LOBBY}") == []
        return
    seq, oldest, size = map(int, found)
    kept = server.command("LRANGE", keys.key("l", LOBBY), 0, -1)
    index = server.command("HGETALL", keys.key("i", LOBBY))
    assert len(kept) == seq - oldest + 1
    messages = [unpack(each, place) for place, each in enumerate(kept, oldest)]
    assert sum(len(message.content) for message in messages) == size
    keyed = dict(zip(index[::2], map(int, index[1::2]), strict=True))
    assert keyed == {f"ann\0{message.id}".encode(): message.seq for message in messages}
    is_listed = server.command("ZSCORE", keys.key("rooms"), "lobby") is not None
    assert is_listed is bool(kept)
    assert bool(server.command("SISMEMBER", keys.key("empty"), LOBBY)) is not bool(kept)


@pytest.mark.parametrize("is_sent", [False, True])
async def test_cut(redis, attach, is_sent):
    """A node whose connection is cut at any command goes on: each message once, in order."""
    for at in itertools.count(1):
        redis.command("FLUSHALL")
        other = await attach(redis, times=QUICK)
        await other.open_stream(LOBBY, "Lobby")
        dial = CutDial(redis, at, is_sent=is_sent)
        node = attach.begin(redis, dial=dial, times=QUICK)
        await repeated(node.open_stream, LOBBY, "Lobby")
        (first,) = await repeated(node.append, entries(1))
        await repeated(other.append, entries("a"))
        rest = await repeated(node.append, entries(2, 3))
        await repeated(other.append, entries("b"))
        page = await repeated(node.read, LOBBY, after=0, limit=100, max_bytes=1000)
        assert [message.id for message in page.messages] == ["1", "a", "2", "3", "b"]
        assert [outcome.message.seq for outcome in (first, *rest)] == [1, 3, 4]
        await other.notes.until(lambda: other.notes.ids(LOBBY) == ["1", "2", "3"])  # noqa: B023
        heard = node.notes.messages[LOBBY]
        assert {"a", "b"} <= {message.id for message in heard}
        seqs = [message.seq for message in heard]
        assert seqs == sorted(set(seqs))
        check(redis)
        await repeated(node.release, LOBBY)
        await repeated(other.release, LOBBY)
        assert redis.command("EXISTS", keys.key("h", LOBBY)) == 0
        await node.close()
        await other.close()
        if not dial.is_over:
            break
    assert at > 10


@pytest.mark.parametrize("is_sent", [False, True])
async def test_dead(redis, attach, is_sent):
    """A node that dies at any command leaves nothing half done, and holds nothing for ever."""
    for at in itertools.count(1):
        redis.command("FLUSHALL")
        dial = CutDial(redis, at, is_sent=is_sent, is_deadly=True)
        node = attach.begin(redis, dial=dial, times=Times(patience_s=0.0))
        is_done = False
        try:
            await node.first_attempt()
            await node.open_stream(LOBBY, "Lobby")
            await node.append(entries(1, 2))
            await node.release(LOBBY)
            is_done = True
        except StoreError:
            check(redis)
        redis.command("DEL", keys.key("n", node.link.node))  # its lease ends
        other = await attach(redis, times=QUICK)
        await other.open_stream(LOBBY, "Lobby")
        await other.append(entries(1, 2))
        assert await other.ids(LOBBY) == ["1", "2"]
        check(redis)
        await other.release(LOBBY)
        await other.close()
        await node.close()
        if is_done:
            break
    assert at > 8


async def test_pushes_cut(redis, attach):
    """An attempt whose connection for pushes is cut early fails at once, and the next works."""
    cut: list[Commands] = []

    async def dial(make):
        protocol = await redis.dial(make)
        if make is not Commands and not cut:
            cut.append(protocol)
            await protocol.abort()
        return protocol

    node = attach.begin(redis, dial=dial, times=QUICK)
    with pytest.raises(StoreError, match="the connection is lost"):
        await node.first_attempt()
    await node.open_stream(LOBBY, "Lobby")
    await node.append(entries(1))
    assert await node.ids(LOBBY) == ["1"]
