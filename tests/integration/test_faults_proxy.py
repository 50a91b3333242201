"""Sessions through a network that cuts, delays, doubles, damages, and resets."""

from contextlib import asynccontextmanager, suppress
from itertools import chain
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

import chatd
from chatd import ChatClientFactory, ChatClientService, ChatFactory
from chatd.testing import running_server
from tests.integration.peer import LENGTH
from tests.integration.proxy import Fault, Script, Step, running_proxy
from tests.integration.sessions import connect, leave, settle, texts, with_and_without_key

SENDERS = 3
MESSAGES = 120
BURST = 6
FAULTS = 14
"""Number of lost connections."""
SEEDS = 16
MOST = 30
"""Limit on each sender's messages before the damage, and after it."""
LONG = 3_000
"""Length of each message: together longer than a record, whose length may be damaged."""


@asynccontextmanager
async def network(key, script):
    """Run a server behind a proxy."""
    async with (
        running_server(reactor, ChatFactory(reactor, key=key)) as server,
        running_proxy(reactor, server.endpoint, script) as proxy,
    ):
        yield server, proxy


@with_and_without_key
async def test_in_pieces(key):
    """Data that is cut and delayed arrives whole and in order."""
    async with network(key, Script(1)) as (_, proxy):
        alice = await connect(proxy, "alice", key=key)
        bob = await connect(proxy, "bob", key=key)
        said = [str(number) * (1 + 40 * (number % 50)) for number in range(200)]
        receipts = await gatherResults([alice.send(text) for text in said])
        assert [receipt.text for receipt in receipts] == said
        assert await texts(bob, len(said)) == said
        await leave(alice, bob)


@with_and_without_key
@pytest.mark.parametrize("seed", range(3))
async def test_coming_back(key, seed):
    """Over connections that are reset and cut, each message arrives once, in order."""
    script = Script(seed, [Fault.RESET, Fault.TRUNCATE], FAULTS, chance=0.08)
    async with network(key, script) as (server, proxy):
        talk = Talk(proxy, key)
        try:
            receipts = await talk.run()
            historian = await connect(server, "historian", key=key)
            history = await historian.history("lobby", after=0, limit=500)
            await leave(historian)
        finally:
            await talk.stop()
    assert len(script.done) == FAULTS
    assert history.complete
    assert [message.seq for message in history.messages] == list(range(1, len(receipts) + 1))
    assert sorted(receipts, key=lambda receipt: receipt.seq) == history.messages
    assert talk.heard == history.messages
    for name in talk.names:
        own = [message.text for message in history.messages if message.sender == name]
        assert own == [f"{name} {number}" for number in range(MESSAGES)]


class Talk:
    """Senders and a reader that reconnect whenever their connection is lost.

    Attributes:
        names: The names of the senders.
        heard: The messages that the reader received.
    """

    def __init__(self, proxy, key):
        self.names = [f"sender{number}" for number in range(SENDERS)]
        self.heard = []
        self._services = {
            name: ChatClientService(
                reactor,
                proxy.endpoint,
                ChatClientFactory(reactor, key=key, name=name),
                lambda _: 0.005,
            )
            for name in (*self.names, "reader")
        }

    async def run(self):
        """Let them talk, and return the receipts when the reader has all messages."""
        self._services["reader"].startService()
        await self._services["reader"].whenConnected()
        reading = Deferred.fromCoroutine(self._read())
        for name in self.names:
            self._services[name].startService()
        sending = [Deferred.fromCoroutine(self._send(name)) for name in self.names]
        receipts = await gatherResults(sending, consumeErrors=True)
        await reading
        return list(chain.from_iterable(receipts))

    async def stop(self):
        await gatherResults([service.stopService() for service in self._services.values()])

    async def _send(self, name):
        receipts = []
        for start in range(0, MESSAGES, BURST):
            numbers = range(start, start + BURST)
            waiting = [self._services[name].send(f"{name} {number}") for number in numbers]
            receipts += await gatherResults(waiting)
        return receipts

    async def _read(self):
        while len(self.heard) < SENDERS * MESSAGES:
            self.heard.append(await self._services["reader"].__anext__())


CODES = {
    "clear": {"bad-length", "bad-magic", "bad-version", "bad-crc", "bad-mac", "too-large"},
    "key": {"bad-record"},
}
"""The possible codes for damage, without a key and with a key."""


@with_and_without_key
@pytest.mark.parametrize("fault", [Fault.DAMAGE, Fault.DOUBLE], ids=lambda fault: fault.value)
async def test_damage(key, fault):
    """Damage ends the connection with the right code; the other side gets no damaged message.

    Without a key, a piece that passes twice may consist of whole frames: that is not damage, and no
    message is delivered twice.
    """
    ends = []
    for seed in range(SEEDS):
        async with network(key, Script(seed)) as (server, proxy):
            bob, alice = await connect(server, "bob", key=key), await connect(proxy, key=key)
            heard = [Heard(alice), Heard(bob)]
            proxy.script = script = Script(seed, [fault], 1, chance=0.2)
            said: dict[Any, list[Any]] = {alice: [], bob: []}
            for number in range(MOST):
                for client in (alice, bob):
                    if client.is_active:
                        said[client].append(f"{number}".ljust(LONG, "."))
                        await settle([client.send(said[client][-1])])
            assert script.done == [fault]
            assert bob.is_active
            if not alice.is_active:
                ends.append(await alice.when_ended())
            await leave(alice, bob)
            await gatherResults([each.end for each in heard])
            heard[0].check(said[bob])
            heard[1].check(said[alice])
    codes = {end.code for end in ends}
    assert codes <= CODES["clear" if key is None else "key"]
    assert len(ends) >= SEEDS // 2
    assert len(ends) == SEEDS or key is None


class Heard:
    """The messages that a client receives until its session ends.

    Attributes:
        end: Fires when the session has ended.
    """

    def __init__(self, client):
        self.texts = []
        self.end = Deferred.fromCoroutine(self._read(client))

    async def _read(self, client):
        with suppress(chatd.SessionEnded):
            async for message in client:
                self.texts.append(message.text)

    def check(self, said):
        """Check that these are the sent messages, once and in order; the last may be missing."""
        assert self.texts == [text for text in said if text in set(self.texts)]


def is_whole(data):
    """Return whether there is a whole frame at the beginning."""
    return len(data) >= LENGTH.size and len(data) >= LENGTH.size + LENGTH.unpack_from(data)[0]


class Doubling(Script):
    """Passes each whole frame twice."""

    def __init__(self):
        super().__init__(0)
        self._arrived = {True: b"", False: b""}

    def disturb(self, data, *, to_server):
        steps = []
        data = self._arrived[to_server] + data
        while is_whole(data):
            end = LENGTH.size + LENGTH.unpack_from(data)[0]
            steps += [Step(data[:end])] * 2
            data = data[end:]
        self._arrived[to_server] = data
        return steps


async def test_doubled_frames():
    """The other side gets valid frames that come twice once, in each direction."""
    said = [str(number) for number in range(20)]
    async with network(None, Doubling()) as (server, proxy):
        clients = ChatClientFactory(reactor, name="alice")
        service = ChatClientService(reactor, proxy.endpoint, clients)
        service.startService()
        alice, bob = await service.whenConnected(), await connect(server, "bob")
        receipts = []
        for text in said:
            receipts += [await alice.send(text), await bob.send(text)]
            receipts += [await alice.send(text, to="bob"), await bob.send(text, to="alice")]
        twice = list(chain.from_iterable(zip(said, said, strict=True)))
        assert await texts(bob, len(twice)) == twice
        assert await texts(service, len(twice)) == twice
        assert [receipt.seq for receipt in receipts] == [
            seq for pair in zip(range(1, 41, 2), range(2, 41, 2), strict=True) for seq in pair * 2
        ]
        history = await bob.history("lobby", limit=500)
        assert history.messages == [each for each in receipts if each.room is not None]
        await service.stopService()
        await leave(bob)
