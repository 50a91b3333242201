"""Several nodes that speak in one room while links are cut, and pushes are lost or late."""

import random
from typing import Any

import pytest
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from chatd.backplane.redis.times import Times
from chatd.errors import StoreError
from tests.storage.stores import LOBBY, entry

pytestmark = pytest.mark.slow

TIMES = Times(longest_wait_s=0.02, patience_s=20.0)
ROUNDS = 60


class Speaker:
    """A node in the lobby that speaks, and notes its own messages."""

    def __init__(self, node, number, chance, reactor):
        self.node = node
        self.number = number
        self.own: set[int] = set()
        self.late: list[Deferred[None]] = []  # pushes that come late
        self._chance = chance
        self._reactor = reactor
        self._pushes: Any = None  # the last subscription in trouble
        self._take: Any = None  # what takes its pushes

    @property
    def heard(self):
        """The places of the messages that the node heard."""
        return [message.seq for message in self.node.notes.messages.get(LOBBY, ())]

    async def repeated(self, call, *args, **options):
        """Call a method until it does not fail."""
        while True:
            try:
                return await call(*args, **options)
            except StoreError:
                await deferLater(self._reactor, 0)

    async def speak(self):
        """Speak, with some trouble before each time."""
        for turn in range(ROUNDS):
            self._trouble()
            sizes = self._chance.choices([1, 1, 1, 70_000], k=self._chance.randint(1, 4))
            batch = [
                entry(f"{turn}.{part}", b"x" * size, author=f"n{self.number}")
                for part, size in enumerate(sizes)
            ]
            outcomes = await self.repeated(self.node.append, batch)
            self.own |= {outcome.message.seq for outcome in outcomes}

    def _trouble(self):
        attachment = self.node.link.attachment
        kind = self._chance.choice(["none", "none", "cut", "lose", "late", "repeat"])
        if attachment is None or not attachment.pushes.connected or kind == "none":
            return
        if kind == "cut":
            self.node.cut()
            return
        pushes = attachment.pushes
        if pushes is not self._pushes:
            self._pushes, self._take = pushes, pushes.on_push
        take = self._take

        def trouble(channel, data):
            if kind != "lose" or not data or self._chance.random() < 0.5:
                take(channel, data)
            if kind == "repeat" and data:
                take(channel, data)

        def delay(channel, data):
            wait = self._chance.random() * 0.01
            self.late.append(deferLater(self._reactor, wait, take, channel, data))

        pushes.on_push = delay if kind == "late" else trouble


@pytest.mark.parametrize("seed", range(3))
async def test_each_once(redis, attach, running_reactor, seed):
    """Each node has each message, in order: it heard it, or had it as the answer of its append."""
    chance = random.Random(seed)
    speakers = []
    for number in range(3):
        node = await attach(redis, times=TIMES)
        await node.open_stream(LOBBY, "Lobby")
        speakers.append(Speaker(node, number, chance, running_reactor))
    await gatherResults([Deferred.fromCoroutine(each.speak()) for each in speakers])
    for each in speakers:
        page = await each.repeated(each.node.read, LOBBY, limit=10**6, max_bytes=10**9)
        assert each.heard == sorted(set(each.heard))
        assert set(each.heard) | each.own == set(range(1, page.head.seq + 1))
        assert each.node.notes.moves == []
        ids = [(message.sender, message.id) for message in page.messages]
        assert len(ids) == len(set(ids))
    assert sum(len(each.own) for each in speakers) == page.head.seq
    await gatherResults([push for each in speakers for push in each.late])
