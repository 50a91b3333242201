"""The loop of faults in its short form: daemons, links and Redis fail, and keep the promises."""

import pytest
from twisted.internet import reactor

from tests.backplane.faults import Pace
from tests.backplane.loop import run_loop
from tests.integration.tools import tool

SHORT = Pace(calm_s=(0.2, 1.5), down_s=(0.1, 1.0))
SECONDS = 4.0
SEED = 3


@pytest.mark.parametrize("fsync", ["always", "everysec"])
async def test_loop(fsync):
    """Each receipt is in the history once, all clients heard one order, and names are free."""
    tool("redis-server")
    loop = await run_loop(reactor, SECONDS, SEED, fsync, SHORT)
    assert loop.violations == []
    assert loop.history
    assert "daemon kill" in loop.summary()
    assert "redis kill" in loop.summary()
