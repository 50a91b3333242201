"""The daemon is killed at random moments, and no confirmed message is lost or doubled."""

from __future__ import annotations

from twisted.internet import reactor

from tests.integration.crash import Talk


async def test_kill(tmp_path):
    """Four senders, bursts of 20, six kills: every receipt is in the history exactly once.

    Two readers get the whole history once and in order: one reconnects after each kill, and the
    other also loses its connection again and again while the others send.
    """
    talk = Talk(reactor, tmp_path)
    talk.check(await talk.run(kills=6))
