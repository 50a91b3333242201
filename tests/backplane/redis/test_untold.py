"""Direct messages that Redis stores while the connection that brings the answer is lost."""

import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

import chatd
from chatd import ChatFactory
from chatd.backplane.redis.untold import MAX_UNTOLD, Untold
from chatd.chat.names import fold
from chatd.errors import ErrorCode, RequestError, StoreError
from chatd.testing import running_server
from tests.backplane.redis.cuts import cut_at
from tests.backplane.redis.nodes import make_backplane
from tests.backplane.redis.recorder import Recorder
from tests.integration.sessions import KEY
from tests.storage.stores import DIRECT, LOBBY, entries, entry


@pytest.mark.parametrize("is_sent", [False, True])
async def test_repeated(redis, attach, is_sent):
    """A direct message of a repeated append is new once, whether Redis had it or not."""
    node = await attach(redis)
    cut_at(node, "append", is_sent=is_sent)
    said = [*entries(1, 1, 2, stream=DIRECT), *entries(1)]
    outcomes = await node.append(said)
    assert [outcome.message.seq for outcome in outcomes] == [1, 1, 2, 1]
    is_room_new = not is_sent  # of a room, the node hears what it has missed
    assert [outcome.is_new for outcome in outcomes] == [True, False, True, is_room_new]
    assert not any(outcome.is_new for outcome in await node.append(said))


async def test_refused(redis, attach):
    """A direct message that was refused, though Redis has it, is new when it comes again."""
    node, other = await attach(redis), await attach(redis)
    await other.claim(["bob"], "1", is_account=False, bans=())
    lease = node.link.attachment.lease
    node.link.attachment.commands.dataReceived = lambda data: None
    said = Deferred.fromCoroutine(node.append(entries(1, 2, stream=DIRECT)))
    await other.notes.until(lambda: len(other.notes.directs) == 2)
    redis.command("DEL", lease)
    node.cut()
    with pytest.raises(StoreError, match="the connection is lost"):
        await said
    (outcome,) = await node.append(entries(1, stream=DIRECT))
    assert (outcome.message.seq, outcome.is_new) == (1, True)
    (refusal,) = await node.append([entry("2", b"other", stream=DIRECT)])
    assert isinstance(refusal, RequestError)
    assert refusal.code == ErrorCode.ID_REUSED
    (outcome,) = await node.append(entries(1, stream=DIRECT))
    assert not outcome.is_new
    assert len(other.notes.directs) == 2


@pytest.mark.parametrize("is_sent", [False, True])
@pytest.mark.parametrize("script", ["find", "append"])
async def test_sessions(redis, script, is_sent):
    """A direct message reaches its receiver once, and has a receipt, wherever the link is cut."""
    from twisted.internet import reactor

    store = make_backplane(redis, fold=fold)
    async with running_server(reactor, ChatFactory(reactor, key=KEY, store=store)) as server:
        ann, bob = [
            await chatd.connect(reactor, server.endpoint, name=name, key=KEY, protocol=Recorder)
            for name in ("ann", "bob")
        ]
        await ann.send("one", to="bob")
        cut_at(store, script, is_sent=is_sent)
        assert (await ann.send("two", to="bob")).seq == 2
        assert (await ann.send("three", to="bob")).seq == 3
        await bob.until_got("three")
        assert bob.got == ["one", "two", "three"]


class UntoldTests(SynchronousTestCase):
    def test_forgotten(self):
        """Only so many messages are remembered, the newest ones."""
        untold = Untold()
        keys = [("ann", str(number)) for number in range(MAX_UNTOLD + 1)]
        untold.add(DIRECT, keys)
        self.assertEqual(untold.take(LOBBY, keys), [])
        self.assertEqual(untold.take(DIRECT, keys), keys[1:])
        self.assertEqual(list(untold.take(DIRECT, keys)), [])
