"""What nodes tell and ask each other, over inboxes in Redis."""

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from chatd.backplane.redis import keys, words
from chatd.backplane.redis.attachment import Attachment
from chatd.backplane.redis.streams import MAX_PUSH_BYTES
from chatd.backplane.redis.times import Times
from chatd.errors import StoreError
from chatd.storage.streamkeys import direct_stream
from tests.backplane.redis.nodes import QUIET
from tests.storage.stores import DIRECT, entry

BRIEF = Times(lease_s=2.0, heartbeat_s=0.1, patience_s=2.0)


def dead_lease(redis, node):
    redis.command("DEL", node.link.attachment.lease)


async def test_ask(redis, attach):
    """Every other node answers a question; the node that asks does not."""
    nodes = [await attach(redis) for _ in range(3)]
    answers = await nodes[0].ask_all({"kind": "end", "names": ["ann"], "n": 1.5})
    asked = {"asked": {"kind": "end", "names": ["ann"], "n": 1.5}}
    assert answers == [asked, asked]
    assert [len(node.notes.questions) for node in nodes] == [0, 1, 1]


async def test_nobody_to_ask(redis, attach):
    """Without another living node, a question has no answers, at once."""
    one, two = await attach(redis), await attach(redis)
    dead_lease(redis, two)
    assert await one.ask_all({"kind": "end"}) == []


async def test_dies_while_asked(redis, attach, monkeypatch):
    """The answer of a node that dies meanwhile is not waited for."""
    monkeypatch.setattr(words, "ANSWER_S", 3600.0)
    one = await attach(redis, times=BRIEF)
    known: Deferred[dict[str, bytes]] = Deferred()
    one.hear_others(lambda others: None if known.called else known.callback(others))
    two = await attach(redis, times=QUIET)
    assert list(await known) == [two.link.node]
    two.lose_pushes()  # it stands still
    asked = Deferred.fromCoroutine(one.ask_all({"kind": "end"}))
    await one.find(["ann"])  # calls are done in order
    assert redis.command("LLEN", keys.key("q", two.link.node)) == 1
    dead_lease(redis, two)
    assert await asked == []


async def test_silent_while_asked(redis, attach, monkeypatch):
    """The answer of a node that lives and does not answer is not waited for without end."""
    monkeypatch.setattr(words, "ANSWER_S", 0.01)
    one, two = [await attach(redis, times=QUIET) for _ in range(2)]
    two.lose_pushes()
    assert await one.ask_all({"kind": "end"}) == []
    assert redis.command("LLEN", keys.key("q", two.link.node)) == 1


async def test_for_a_name(redis, attach):
    """An EVENT for a name is heard by the other nodes with sessions of the name, once."""
    one, two, three = [await attach(redis) for _ in range(3)]
    for number, node in enumerate((one, two, two)):
        await node.claim(["Ann"], str(number), is_account=True, bans=())
    one.tell_name("ANN", {"event": "invited", "room": "ops"})
    await one.ask_all({})  # after the word
    assert two.notes.events == [("ann", {"event": "invited", "room": "ops"})]
    assert one.notes.events == three.notes.events == []


async def test_direct(redis, attach):
    """Other nodes with sessions of the two names hear direct messages, large ones too."""
    one, two, three = [await attach(redis) for _ in range(3)]
    _, author, receiver = DIRECT.split(" ")
    await two.claim([receiver], "1", is_account=False, bans=())
    await two.claim([author], "2", is_account=True, bans=())
    texts = [b"hello", b"x" * 100_000, b"bye"]
    for number, text in enumerate(texts):
        await one.append([entry(str(number), text, stream=DIRECT)])
    await two.notes.until(lambda: len(two.notes.directs) == 3)
    assert sorted(message.content for message in two.notes.directs) == sorted(texts)
    await one.ask_all({})
    assert one.notes.directs == three.notes.directs == []


async def test_direct_missed(redis, attach):
    """A node whose lease had ended learns which names may have missed direct messages."""
    one, two = [await attach(redis, times=QUIET) for _ in range(2)]
    _, author, receiver = DIRECT.split(" ")
    names = [receiver, author, "cat", *(f"n{number}" for number in range(300))]
    await one.append([entry("old", stream=direct_stream("cat", "dan"))])
    for number, name in enumerate(names):
        await two.claim([name], str(number), is_account=False, bans=())
    two.notes.sessions = [(str(n), name, "", False) for n, name in enumerate(names)]
    await two.people_beat()
    dead_lease(redis, two)
    await one.append([entry("new", stream=DIRECT)])
    with pytest.raises(StoreError, match="FENCED"):
        await two.find(["ann"])
    await two.notes.until(lambda: len(two.notes.states) == 2)
    assert two.notes.directs == []
    assert sorted(two.notes.missed_names) == sorted([author, receiver])


async def test_direct_not_missed(redis, attach):
    """A node that attaches anew under its old lease hears the direct messages of the meantime."""
    one, two = [await attach(redis, times=QUIET) for _ in range(2)]
    receiver = DIRECT.split(" ")[2]
    await two.claim([receiver], "1", is_account=False, bans=())
    two.notes.sessions = [("1", receiver, "", False)]
    two.cut()
    await one.append([entry("new", stream=DIRECT)])
    await two.notes.until(lambda: len(two.notes.states) == 2)
    assert [message.id for message in two.notes.directs] == ["new"]
    assert two.notes.missed_names == []


async def test_direct_lost_while_read(redis, attach, monkeypatch):
    """If the link is lost while a large direct message is read, its names hear of that."""
    one, two = [await attach(redis, times=QUIET) for _ in range(2)]
    _, author, receiver = DIRECT.split(" ")
    await two.claim([receiver], "1", is_account=False, bans=())
    call = Attachment.call

    async def call_cut(attachment, script, names=(), args=()):
        if script.name == "read":
            two.cut()
        return await call(attachment, script, names, args)

    monkeypatch.setattr(Attachment, "call", call_cut)
    await one.append([entry("large", b"x" * (MAX_PUSH_BYTES + 1), stream=DIRECT)])
    await two.notes.until(lambda: bool(two.notes.missed_names))
    assert two.notes.missed_names == [author, receiver]
    assert two.notes.directs == []


async def test_lost_pushes(redis, attach):
    """Words whose pushes got lost are heard at the next heartbeat, in order, each once."""
    one, two = await attach(redis), await attach(redis, times=BRIEF)
    await two.claim(["ann"], "1", is_account=False, bans=())
    two.lose_pushes()
    for number in range(1200):
        one.tell_name("ann", {"event": "n", "n": number})
    await two.notes.until(lambda: len(two.notes.events) == 1200)
    assert [event["n"] for _, event in two.notes.events] == list(range(1200))


async def test_wrong_word(redis, attach):
    """A wrong word in the inbox is dropped with a line in the log; the words after it are heard."""
    one, two = await attach(redis), await attach(redis, times=QUIET)
    await two.claim(["ann"], "1", is_account=False, bans=())
    two.lose_pushes()
    for number in range(3):
        one.tell_name("ann", {"event": "n", "n": number})
    await one.find(["ann"])
    redis.command("LSET", keys.key("q", two.link.node), 1, b"N\xc1")
    with capturedLogs() as events:
        await two.people_beat()
    assert [event["n"] for _, event in two.notes.events] == [0, 2]
    (event,) = events
    assert "a word of another daemon is dropped: " in formatEvent(event)
    assert two.notes.states == []


async def test_gap(redis, attach):
    """A push after lost ones is a gap, which is read at once."""
    one, two = await attach(redis), await attach(redis, times=QUIET)
    await two.claim(["ann"], "1", is_account=False, bans=())
    is_deaf = True
    two.lose_pushes(lambda channel, data: is_deaf)
    for number in range(3):
        one.tell_name("ann", {"event": "n", "n": number})
    await one.find(["ann"])
    await two.find(["ann"])
    is_deaf = False
    one.tell_name("ann", {"event": "n", "n": 3})
    await two.notes.until(lambda: len(two.notes.events) == 4)
    assert [event["n"] for _, event in two.notes.events] == [0, 1, 2, 3]


async def test_inbox_is_trimmed(redis, attach):
    """Words that a node has heard do not stay in its inbox."""
    one, two = await attach(redis), await attach(redis, times=BRIEF)
    await two.claim(["ann"], "1", is_account=False, bans=())
    one.tell_name("ann", {"event": "n"})
    await two.notes.until(lambda: bool(two.notes.events))
    for _ in range(3):
        await two.people_beat()
    assert redis.command("LLEN", f"{{chatd}}q:{two.link.node}") == 0


async def test_full_inbox(redis, attach):
    """An inbox loses its oldest words beyond its bound; the node hears the next, and attaches anew.

    So its daemon reads the bans again.
    """
    one, two = await attach(redis), await attach(redis, times=QUIET)
    await two.claim(["ann"], "1", is_account=False, bans=())
    two.lose_pushes()
    for number in range(10_010):
        one.tell_name("ann", {"event": "n", "n": number})
    await one.find(["ann"])
    two.notes.sessions = [("1", "ann", "", False)]
    await one.append([entry("new", stream=DIRECT)])
    with pytest.raises(StoreError, match="the connection is lost"):
        await two.people_beat()
    assert [event["n"] for _, event in two.notes.events] == list(range(11, 10_010))
    assert two.notes.missed_names == ["ann"]
    await two.notes.until(lambda: len(two.notes.states) == 2)
    assert two.notes.states[0].reason == "words of other daemons are lost"
    one.tell_name("ann", {"event": "n", "n": "last"})
    await two.notes.until(lambda: two.notes.events[-1][1]["n"] == "last")
    await two.people_beat()
    assert len(two.notes.states) == 2
    assert two.notes.missed_names == ["ann"]


async def test_begun_anew(redis, attach):
    """After Redis has lost everything, words are heard again from the first."""
    one, two = await attach(redis), await attach(redis)
    await two.claim(["ann"], "1", is_account=False, bans=())
    two.notes.sessions = [("1", "ann", "", False)]
    for number in range(3):
        one.tell_name("ann", {"event": "n", "n": number})
    await two.notes.until(lambda: len(two.notes.events) == 3)
    redis.command("FLUSHALL")
    for node in (one, two):
        node.cut()
    for node in (one, two):
        await node.notes.until(lambda node=node: len(node.notes.states) == 2)
    one.tell_name("ann", {"event": "n", "n": 3})
    await two.notes.until(lambda: len(two.notes.events) == 4)
    assert two.notes.events[-1] == ("ann", {"event": "n", "n": 3})
