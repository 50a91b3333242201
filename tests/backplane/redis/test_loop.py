"""The loop of faults in its short form: each part fails once, and the promises are kept."""

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from tests.backplane.loop import run_short
from tests.integration.tools import tool

pytestmark = pytest.mark.slow

SEED = 3


async def test_loop():
    """Each receipt is in the history once, all clients heard one order, and names are free.

    A daemon freezes and another is killed, Redis is killed, and a link is cut; each took place. The
    runs are at the same time: much of both is waiting for the end of a dead daemon's lease.
    """
    tool("redis-server")
    runs = [run_short(reactor, SEED, fsync) for fsync in ("always", "everysec")]
    for loop in await gatherResults([Deferred.fromCoroutine(run) for run in runs]):
        assert loop.violations == []
        assert loop.done == {"daemon kill": 1, "daemon freeze": 1, "redis kill": 1, "link cut": 1}
        assert len(loop.report) == 4
