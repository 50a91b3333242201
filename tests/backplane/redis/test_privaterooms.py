"""Private rooms in Redis, which operators change on two nodes at once."""

from random import Random
from typing import NamedTuple

import pytest
from twisted.internet.defer import Deferred, DeferredLock, gatherResults
from twisted.internet.task import deferLater

from chatd.chat.access import RoomAccess
from chatd.chat.moderation import Operators

CHANGES = 20
"""How many names each operator invites, and how many it uninvites."""


class Account(NamedTuple):
    """A person with an account."""

    key: str
    has_account: bool = True


@pytest.mark.parametrize("seed", range(3))
async def test_both_hold(redis, attach, running_reactor, seed):
    """All changes of both operators hold, in whatever order they arrive."""
    chance = Random(seed)
    both = []
    for node in [await attach(redis), await attach(redis)]:
        both.append(RoomAccess(node, Operators(["op"], needs_account=True), DeferredLock()))
        await both[-1].load()
    old = [[f"old{side}.{number}" for number in range(CHANGES)] for side in range(2)]
    new = [[f"new{side}.{number}" for number in range(CHANGES)] for side in range(2)]
    await both[0].make_private("den", "Den", [Account(name) for name in old[0] + old[1]])
    await both[1].reload()

    async def operate(side):
        changes = [(both[side].invite, name) for name in new[side]]
        changes += [(both[side].uninvite, name) for name in old[side]]
        chance.shuffle(changes)
        for change, name in changes:
            await change("den", name)
            for _ in range(chance.randrange(3)):  # so that the other is ahead now and then
                await deferLater(running_reactor, 0)

    await gatherResults([Deferred.fromCoroutine(operate(side)) for side in range(2)])
    for access in both:
        await access.follow()
        assert access.private("den").invited == {*new[0], *new[1]}
