"""Nodes whose connection is cut, or that die, at any command."""

import itertools

import pytest

from chatd.backplane.redis import keys
from chatd.backplane.redis.connections import Commands
from chatd.backplane.redis.times import Times
from chatd.errors import StoreError
from tests.backplane.redis.consistency import check_lobby
from tests.backplane.redis.cuts import name_of
from tests.storage.stores import LOBBY, entries

pytestmark = pytest.mark.slow

QUICK = Times(longest_wait_s=0.01, patience_s=30.0)
ATTACH = {"SCRIPT", "CONFIG", "INFO", "rights", "generation", "SUBSCRIBE", "attach"}
USE = {"open", "append", "release"}


class CutDial:
    """Dials a server; a connection is cut at one command, before or after Redis gets it.

    Args:
        server: The server.
        at: The number of the command, from 1 on, over all connections; 0 cuts nothing.
        is_sent: Whether Redis gets the command, and only the answer is lost.
        is_deadly: Whether all connections are cut, and no later one succeeds, as if the node's
            process was killed.

    Attributes:
        cut: The command at which it was cut, or the script that the command runs.
    """

    def __init__(self, server, at, *, is_sent, is_deadly=False):
        self.server = server
        self.at = at
        self.is_sent = is_sent
        self.is_deadly = is_deadly
        self.count = 0
        self.cut = ""
        self._protocols = []

    async def __call__(self, make):
        if self.is_deadly and self.is_over:
            raise StoreError("dead")
        return await self.server.dial(lambda: self._cutting(make()))

    @property
    def is_over(self):
        """Whether the cut is done."""
        return 0 < self.at <= self.count

    def _cutting(self, protocol):
        send = protocol._send
        self._protocols.append(protocol)
        cut = self._protocols if self.is_deadly else [protocol]

        def abort(_=None):
            for each in cut:
                each.transport.abortConnection()

        def send_or_cut(*arguments):
            self.count += 1
            if self.count != self.at:
                send(*arguments)
                return
            self.cut = name_of(arguments)
            if self.is_sent:
                protocol.dataReceived = abort
                send(*arguments)
            else:
                abort()

        protocol._send = send_or_cut
        return protocol


async def repeated(call, *args, **options):
    """Call a method until it does not fail; return the answer."""
    while True:
        try:
            return await call(*args, **options)
        except StoreError:
            pass


@pytest.mark.parametrize("is_sent", [False, True])
async def test_cut(redis, attach, is_sent):
    """A node whose connection is cut at any command goes on: each message once, in order."""
    cut = set()
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
        check_lobby(redis)
        await repeated(node.release, LOBBY)
        await repeated(other.release, LOBBY)
        assert redis.command("EXISTS", keys.key("h", LOBBY)) == 0
        await node.close()
        await other.close()
        if not dial.is_over:
            break
        cut.add(dial.cut)
    assert cut >= ATTACH | USE | {"read", "UNSUBSCRIBE", "leave"}


@pytest.mark.parametrize("is_sent", [False, True])
async def test_dead(redis, attach, is_sent):
    """A node that dies at any command leaves nothing half done, and holds nothing for ever."""
    cut = set()
    for at in itertools.count(1):
        redis.command("FLUSHALL")
        dial = CutDial(redis, at, is_sent=is_sent, is_deadly=True)
        node = attach.begin(redis, dial=dial, times=Times(patience_s=0.0))
        try:
            await node.first_attempt()
            await node.open_stream(LOBBY, "Lobby")
            await node.append(entries(1, 2))
            await node.release(LOBBY)
        except StoreError:
            assert dial.is_over
            check_lobby(redis)
        redis.command("DEL", keys.key("n", node.link.node))  # its lease ends
        other = await attach(redis, times=QUICK)
        await other.open_stream(LOBBY, "Lobby")
        await other.append(entries(1, 2))
        assert await other.ids(LOBBY) == ["1", "2"]
        check_lobby(redis)
        await other.release(LOBBY)
        await other.close()
        await node.close()
        if not dial.is_over:
            break
        cut.add(dial.cut)
    assert cut >= ATTACH | USE | {"UNSUBSCRIBE"}


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
