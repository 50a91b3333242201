"""Daemons whose Redis fails over, or is not for them any more, as their clients see it."""

import pytest
from twisted.internet import reactor

import chatd
from chatd.backplane.redis import keys
from tests.backplane.redis.sentinels import MASTER
from tests.backplane.redis.servers import ALWAYS
from tests.integration.daemons import stop
from tests.integration.processes import daemon
from tests.integration.sessions import leave

pytestmark = pytest.mark.slow


async def join(tmp_path, at, name):
    return await chatd.connect(reactor, f"unix:{tmp_path / at}.sock", name=name)


def started(tmp_path, name, *options):
    return daemon(*options, endpoint=f"unix:{tmp_path / name}.sock")


async def test_sentinel(tmp_path, start_redis, start_sentinel):
    """After a fail-over clients come back to the same messages, and learn that some may be lost."""
    primary, replica = start_redis(*ALWAYS), start_redis(*ALWAYS)
    replica.follow(primary)
    sentinel = start_sentinel(primary.port)
    url = f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel.port}/{MASTER}/0"
    options = ("--backplane", url)
    with started(tmp_path, "one", *options) as one, started(tmp_path, "two", *options) as two:
        ann, bob = await join(tmp_path, "one", "ann"), await join(tmp_path, "two", "bob")
        first = await ann.send("hello")
        assert (await anext(aiter(bob))).id == first.id
        before = await bob.join("lobby")
        primary.wait_for_replica()
        primary.kill()
        for client in (ann, bob):
            end = await client.when_ended()
            assert (end.code, end.retry) == ("not-stored", True)
        ann, bob = await join(tmp_path, "two", "ann"), await join(tmp_path, "one", "bob")
        place = {"after": first.seq, "epoch": before.epoch, "after_id": first.id}
        for client in (ann, bob):
            joined = await client.join("lobby", **place)
            assert not joined.recovered
            assert joined.epoch != before.epoch
            assert joined.seq == first.seq
        history = await ann.history("lobby", limit=10)
        assert [message.text for message in history.messages] == ["hello"]
        again = await bob.send("hello again")
        assert again.seq == first.seq + 1
        await leave(ann, bob)
        for process in (one, two):
            assert process.output.text.count("the backplane cannot be used: ") == 1
            assert process.output.text.count("the backplane works again after ") == 1
            stop(process)


async def test_newer_chatd(tmp_path, redis_always):
    """A daemon whose Redis a newer chatd has taken over ends its sessions, and logs why once."""
    options = ("--backplane", f"unix:{redis_always.path}", "--backplane-patience", "1")
    with started(tmp_path, "one", *options) as one:
        ann = await join(tmp_path, "one", "ann")
        redis_always.command("SET", keys.key("layout"), keys.LAYOUT + 1)
        redis_always.command("HSET", keys.key("run"), "generation", "newer")
        end = await ann.when_ended()
        assert (end.code, end.retry) == ("not-stored", True)
        told = "cannot be used: a newer chatd has changed the backplane's keys: upgrade this daemon"
        one.output.wait_for(told)
        with pytest.raises(chatd.SessionRefused) as caught:
            await join(tmp_path, "one", "bob")
        assert (caught.value.code, caught.value.retry) == ("not-stored", True)
        assert one.output.text.count(told) == 1
        stop(one)


@pytest.fixture
def redis_always(start_redis):
    """Return a Redis that writes each message to its disk first."""
    return start_redis(*ALWAYS)
